"""How far something is, for people who watch: a line in a terminal, a board in a notebook; and how to stop it.

progress what a solver tells after every step
follow   what a place has: line or board; Ctrl-C, kernel interrupt, SIGTERM
line     the terminal's line
board    a notebook's board: every problem as a cell, pace, time left
curves   loss curves as a drawing inside HTML
live     output that is replaced in place; the wire between a page and the kernel
spent    where a command's time goes
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
