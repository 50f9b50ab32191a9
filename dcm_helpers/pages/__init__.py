"""Pages: notebooks executed on a run and passed on, as reports in HTML and as a gallery with pictures.

execute    which notebooks there are, and running one on a run
progress   which notebook and which cell it is at
equations  TeX as MathML
outputs    what a cell put out, as HTML
stylesheet one look, light and dark
page       an executed notebook as an HTML page
overview   what a run amounts to, for the index
index      the index page, and which pages there are
report     a report: all pages and their index
gallery    executed notebooks with pictures, for a code host
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
