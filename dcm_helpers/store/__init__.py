"""What is kept of a run on disk, and what is believed of what is read back.

folder    one run folder: written so that nothing finished is lost, resumed, read
contents  where contents are put (many to a file once there are many), their hashes and checks
curve     loss curves, made short
identity  whether two runs are one
schema    the form of everything that is read
sense     whether a record agrees with itself
earlier   records as earlier versions wrote them
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
