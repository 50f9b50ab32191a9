"""What a study is made of: parts, tables measured on them, findings that follow.

size     how large, with which Generator; what a study's folder says of that
kept     what each table was measured on
part     some problems, and how their contents are optimized
study    a study on disk
finding  tables, findings, answers, questions
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
