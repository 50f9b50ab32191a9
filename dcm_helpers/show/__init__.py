"""What people see: figures, tables, the dashboard, the explorer, summaries, reports.

style      one look; colors that belong to names; a picture beside each figure
figures    figures from tables
tables     tables for readers
dashboard  watch the optimizer, stop it
explorer   contents in a plane beside what is written from one; its page's part is in panel/
points     where contents lie, what is near, what is written from them
change     what is done to a content before it is read
kept       what is computed once and kept beside a run
summary    what a run says, as text
page       an executed notebook as one HTML file
report     a report: all pages and their index
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
