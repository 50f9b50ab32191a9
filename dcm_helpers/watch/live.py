"""Output that is replaced in place, and a wire between what it shows and the kernel.

What a notebook keeps of both is plain HTML: it survives saving, reopening and any export, where the wire is gone and
controls that need it are hidden. Outside of a notebook nothing is shown.
"""

import uuid
from collections.abc import Callable
from pathlib import Path

from IPython import get_ipython
from IPython.display import display, update_display

WIRE = Path(__file__).with_name("wire.js")


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code, so that rich output reaches someone."""
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class LiveOutput:
    """One place in a notebook's output whose HTML can be replaced."""

    def __init__(self):
        self._id = uuid.uuid4().hex
        self._shown = False

    def show(self, html: str, text: str) -> None:
        """Show, or replace what is shown by, some HTML, whose texts are escaped; ``text`` is for where HTML is not."""
        if not in_notebook():
            return
        forms = {"text/html": html, "text/plain": text}
        if self._shown:
            update_display(forms, display_id=self._id, raw=True)
        else:
            display(forms, display_id=self._id, raw=True)
            self._shown = True


class Wire:
    """Messages between the kernel and the HTML that carries this wire's ``id`` in its attribute ``data-dcm-wire``.

    A widget without a view: nothing of it is saved with the notebook. An element inside with ``data-dcm-send`` sends
    that JSON when it is clicked, and is hidden (it has the attribute ``hidden``) where there is no kernel to hear it. A
    kernel hears messages between cells and while a cell awaits. Without a notebook it is silent.
    """

    def __init__(self, hear: Callable[[dict], None]):
        self.id = uuid.uuid4().hex
        self._widget = None
        if in_notebook():
            import anywidget  # half a second, and only needed here
            import traitlets

            class Widget(anywidget.AnyWidget):
                _esm = WIRE
                wire = traitlets.Unicode().tag(sync=True)

            self._widget = Widget(wire=self.id)
            self._widget.on_msg(lambda _widget, content, _buffers: hear(content))

    def send(self, content: dict) -> None:
        """Hand some JSON to the page; without a page nobody hears it."""
        if self._widget is not None:
            self._widget.send(content)
