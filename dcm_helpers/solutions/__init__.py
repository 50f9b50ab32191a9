"""The reference study's questions to the solutions themselves, one file each: parts, tables, findings.

success    how often, and what is hard
landscape  one content or many
curves     paths that may bend
tokens     near tokens or not
clusters   related pairs together or not
variety    what belongs to the pair, what to a slot
capacity   how many slots
prefixes   how much text in one
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
