from .capacity import capacity_question as capacity_question
from .clusters import clusters_question as clusters_question
from .curves import curves_question as curves_question
from .landscape import landscape_question as landscape_question
from .prefixes import prefixes_question as prefixes_question
from .success import success_question as success_question
from .tokens import tokens_question as tokens_question
from .variety import variety_question as variety_question
