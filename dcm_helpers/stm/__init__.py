"""The STM: what the Generator reads, and how well it predicts what it should write.

problem   a problem is one content and its views
start     where a content starts
layout    rows, how they are padded and grouped
losses    losses of targets, and whether each token wins
score     the only shift of logits against targets
decode    the only decoder
prompts   what is read in place of an STM when a pair is text
variants  restarts, mismatched texts, other modes, views apart
anatomy   a row taken apart for looking at
metrics   what a decoded text is worth beside its target
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
