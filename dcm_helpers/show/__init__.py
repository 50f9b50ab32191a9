"""What people see: figures, live output, the dashboard, the explorer, summaries.

style      one look
figures    figures from tables
live       output that is updated in place
dashboard  watch the optimizer, stop it
explorer   disturb a content and read what comes out
summary    what a run says, as text
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
