"""What is fetched once and kept on this machine.

packaged  Generators that need no hub, a table row each
hub       the hub, or a clear word that it is not there
cache     what is kept, with hashes of its files
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
