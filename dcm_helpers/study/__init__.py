"""The reference study, one file a question: what it needs, what it measures, what it finds.

study      parts, tables and findings; a study on disk
questions  all questions together: made, measured, told
success    how often, and what is hard
landscape  one content or many
tokens     near tokens or not
clusters   related pairs together or not
variety    what belongs to the pair, what to a slot
capacity   how many slots
sharing    the controls: mismatched, random, halves, layers, modes
transfer   unseen phrasings
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
