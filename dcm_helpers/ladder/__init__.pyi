from .beside import from_contents as from_contents
from .beside import from_text as from_text
from .beside import ladder_rows as ladder_rows
from .judged import exchanged_conditions as exchanged_conditions
from .judged import nearness as nearness
from .judged import sharpness as sharpness
from .judged import written_after as written_after
from .judged import written_from as written_from
