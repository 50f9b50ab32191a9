"""The Generator: the frozen language model that reads the STM, and its vocabulary.

frozen      the Generator and its text conventions: BOS, EOS, prompts, fingerprint
template    what a chat template puts around a text
attention   an attention kernel for short rows
timing      how long a block takes, forward and back
pace        which precision, attention kernel and size of a group are fastest here, by measurement
load        device, precision, freezing
check       what the project relies on of a Generator, tried when one is loaded
layers      blocks compiled, shuffled or drawn anew
vocabulary  random tokens, nearest tokens, a token's text
sentences   embeddings of plain text, to compare with
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
