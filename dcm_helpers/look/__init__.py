"""Looking at contents: Generator and contents in, tables out. Nothing here stores anything.

writing     what is written from contents, and whether also in other batches
landscape   the loss on lines, on planes, under noise
curves      paths that bend around what is high
curvature   extreme eigenvalues of the Hessian
trajectory  how a content travels
tokens      where slots lie to tokens
clusters    contents as points, and labels against chance
variety     restarts of a pair, and single slots
routing     other modes asked of the same content
transfer    what texts cost after contents of others
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
