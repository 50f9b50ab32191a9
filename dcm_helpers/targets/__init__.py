"""Ways of making targets for a Diffuser, and what of them can be predicted for pairs that nobody learned from.

table         the ways, by name
families      making them, each a run folder
predict       contents from conditions: the mean, the nearest pair's, and by ridge regression
network       contents by networks that are trained
learnability  how near predictions come, in the contents' own terms and in the Generator's
measuring     a family's row of the table
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
