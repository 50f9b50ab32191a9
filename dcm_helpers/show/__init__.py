"""What people see: figures, tables, the dashboard, summaries.

style      one look; colors that belong to names; a picture beside each figure
figures    figures from tables
tables     tables for readers
denoising  how a Diffuser's training went, and where its slots look
dashboard  watch the optimizer, stop it
commands   what to type next
compare    several runs side by side, as text
summary    what a run says, as text
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
