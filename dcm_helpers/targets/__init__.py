"""Ways of making targets for a Diffuser, and what of them can be predicted for pairs that nobody learned from.

predict       contents from conditions: the mean, the nearest pair's, and by ridge regression
learnability  how near predictions come, in the contents' own terms and in the Generator's
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
