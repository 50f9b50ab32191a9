"""The one loop that finds contents.

loop              ContentOptimizer: measure, decide, step
measurement       what was measured of a content, why an attempt ended
attempt           stop rules; what counts as best
batch             the attempts in flight, measured and updated together
objective         what is minimized, made of cross-entropy and terms
parameterization  where contents live: direct, norm held, a small network, a subspace
compiling         whether so much is to be computed that compiling pays
adam              the update
result            what comes of a problem
solver            what a solver is
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
