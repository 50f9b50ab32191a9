from .execute import Executed as Executed
from .execute import chosen_notebooks as chosen_notebooks
from .gallery import GALLERY as GALLERY
from .gallery import write_gallery as write_gallery
from .page import to_html as to_html
from .report import report_folder as report_folder
from .report import write_report as write_report
