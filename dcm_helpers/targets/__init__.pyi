from .learnability import evaluations_from as evaluations_from
from .learnability import evaluations_over as evaluations_over
from .learnability import in_contents as in_contents
from .learnability import in_predictions as in_predictions
from .learnability import radii as radii
from .predict import PREDICTORS as PREDICTORS
from .predict import features as features
from .predict import predicted as predicted
