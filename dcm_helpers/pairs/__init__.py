"""Question-answer pairs: where they come from. One file a source, one table that names them (`load.SOURCES`).

pair        a pair, checked where it comes from somebody's file
load        the table of sources and formats; sampling; what was left out and why
jsonl       a user's JSONL file, and the shipped ones
squad       SQuAD 2.0, from a file or the hub
arithmetic  generated sums
facts       a generated world without end: who has what
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
