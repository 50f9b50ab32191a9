"""The reference study: all questions together, made and told.

questions  the table of questions, and what each part takes
told       how findings become text
page       what was found as tables and as a page, beside another study, too
measuring  tables, at once or in pieces
making     parts made, then tables
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
