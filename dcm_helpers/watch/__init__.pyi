from .board import Board as Board
from .follow import follow as follow
from .follow import stopping_on_interrupt as stopping_on_interrupt
from .line import ProgressLine as ProgressLine
from .live import LiveOutput as LiveOutput
from .live import Wire as Wire
from .live import in_notebook as in_notebook
