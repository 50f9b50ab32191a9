"""Output that is updated in place: live in a notebook, and readable where nothing runs (nbval, exported HTML).

One output carries a figure or a page in several forms; a front end shows the best one that it knows. Outside of a
notebook nothing is shown.
"""

import json
import uuid

import plotly.graph_objects as go
from IPython import get_ipython
from IPython.display import display, update_display

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code, so that rich output reaches someone."""
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class LiveOutput:
    """One place in a notebook's output whose content can be replaced."""

    def __init__(self):
        self._id = uuid.uuid4().hex
        self._shown = False

    def show(self, forms: dict[str, object]) -> None:
        """Show, or replace what is shown by, some content: MIME type -> value, always with a text/plain form."""
        if not in_notebook():
            return
        if self._shown:
            update_display(forms, display_id=self._id, raw=True)
        else:
            display(forms, display_id=self._id, raw=True)
            self._shown = True

    def show_figure(self, figure: go.Figure, text: str) -> None:
        """Show a figure; ``text`` stands for it where figures cannot be drawn."""
        self.show({PLOTLY: json.loads(figure.to_json()), "text/plain": text})

    def show_html(self, html: str, text: str) -> None:
        """Show HTML, whose text must be escaped already; ``text`` stands for it in a terminal."""
        self.show({"text/html": html, "text/plain": text})
