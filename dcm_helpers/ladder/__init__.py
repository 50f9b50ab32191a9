"""How well a Diffuser does, rung by rung of a ladder, beside what needs none and beside what would refute it.

judged    what is written from contents and after prompts
refuting  whether a Diffuser reads its condition, replays, or averages
beside    the table of a rung
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
