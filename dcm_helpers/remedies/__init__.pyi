from .oracle import oracle_question as oracle_question
from .subspace import subspace_question as subspace_question
from .worth import remedies_question as remedies_question
