"""The ablation's questions: what may be asked for beside cross-entropy, and what it is worth.

tried      remedies, and what contents found with each are like
worth      each beside none
oracle     contents that match the whole context
subspace   directions that problems share
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
