"""The reference study's questions that set contents beside others, one file each: what could refute.

sharing    mismatched pairs, halves
across     what contents for one text tell of the other
limit      where one slot no longer holds two texts
replaced   random answers, other layers, other modes
transfer   unseen phrasings
task       a task-level prompt in the content's place
exactness  other batches, precisions, kernels, decoders
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
