"""What is minimized beside plain cross-entropy: terms, each a pure function, switched on by name.

table     every term by its name: what it does, what its number means, where it is from
seen      what a term is given
counting  what is asked of each target token, and how much it counts: temperature, margin, oracle distillation
places    where contents lie: distance to tokens, norm, travel
meanings  what predictions mean: expected embeddings, likeness of texts
reading   what is read meanwhile: contents with noise, the Generator's own words
endings   where texts end, and what they must not repeat
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
