from .across import across_question as across_question
from .exactness import exactness_question as exactness_question
from .limit import limit_question as limit_question
from .remedies import remedies_question as remedies_question
from .replaced import replaced_question as replaced_question
from .sharing import sharing_question as sharing_question
from .task import task_question as task_question
from .transfer import transfer_question as transfer_question
