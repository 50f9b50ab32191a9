"""Phase 2: a Diffuser makes contents from noise and a condition.

condition  what it reads: states of the Generator at the tokens of a prompt
network    what estimates a clean content from a noisy one
flow       noise, what is learned on the way, and the way back
examples   what it learns from
diffuser   from noise to contents, with what was trained
training   one step of training, and what is measured
kept       a Diffuser on disk
sides      what is learned from, chosen on, and judged
session    training in a folder, that goes on where it stopped
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
