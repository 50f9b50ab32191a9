"""What is learned from many problems together, and used on others.

minibatch  what both drivers share
task       one content for a whole task: prompt tuning, to compare with
subspace   few directions in which the slots of all problems may move
start      one content that the optimization of any problem begins from
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
