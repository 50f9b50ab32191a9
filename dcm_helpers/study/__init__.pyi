from .making import make_squad as make_squad
from .making import make_study as make_study
from .questions import plan as plan
from .told import answers_table as answers_table
from .told import findings_table as findings_table
from .told import markdown as markdown
from .told import write_page as write_page
