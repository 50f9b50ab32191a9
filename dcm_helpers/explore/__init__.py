"""The content explorer: contents in a plane beside what is written from one; alive in JupyterLab and in a mailed page.

explorer  the panel's HTML, and the kernel's answers to it; the page's own part is in panel/
points    where contents lie, what is near, what is written from them
change    what is done to a content before it is read
kept      what is computed once and kept beside a run
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
