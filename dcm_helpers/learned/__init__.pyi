from .subspace import SharedSubspace as SharedSubspace
from .subspace import shared_subspace as shared_subspace
from .task import TaskPrompt as TaskPrompt
from .task import answers_after_questions as answers_after_questions
from .task import task_losses as task_losses
from .task import task_prompt as task_prompt
