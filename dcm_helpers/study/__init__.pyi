from .making import make_squad as make_squad
from .making import make_study as make_study
from .making import require_parts as require_parts
from .page import answers_table as answers_table
from .page import findings_table as findings_table
from .page import write_page as write_page
from .questions import plan as plan
from .told import markdown as markdown
