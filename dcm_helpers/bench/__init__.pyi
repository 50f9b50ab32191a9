from .growth import growth_table as growth_table
from .growth import sweep as sweep
from .race import Race as Race
from .race import contestants as contestants
from .race import race as race
from .speed import EvaluationCost as EvaluationCost
from .speed import evaluation_costs as evaluation_costs
from .speed import matmul_ceiling as matmul_ceiling
