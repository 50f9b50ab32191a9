"""The one look of all figures, on light and dark pages; colors that belong to names; a picture beside each figure."""

import base64
import hashlib
import sys
from collections.abc import Iterable

import plotly.graph_objects as go
import plotly.io as pio
from plotly.io.base_renderers import MimetypeRenderer

from dcm_helpers.config import parameter

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Told apart by people with any kind of color vision (Okabe and Ito, 2008)."""
NAMED = {
    "astronomy": "#5b4fc4",
    "biology": "#117733",
    "chemistry": "#44aa99",
    "food": "#c9b035",
    "geography": "#56b4e9",
    "history": "#cc6677",
    "literature": "#882255",
    "mathematics": "#aa4499",
    "music": "#e69f00",
    "physics": "#0072b2",
    "sports": "#d55e00",
    "technology": "#7f8a33",
}
"""Of the shipped pairs' topics. Other names take one of these by their spelling, so that two may share one."""
UNNAMED = "#9aa0a8"
"""Of what has no name: no topic, no cluster."""
INK = "#7a7f87"
"""Text and axes: about equally readable on a white and on a black page."""
GRID = "rgba(128, 134, 142, 0.25)"
SCALE = "Viridis"
PLOTLY = "application/vnd.plotly.v1+json"
WIDTH, HEIGHT = 820, 380
"""Of pictures, in pixels; figures in a page take the width that there is."""


def color_of(name: str) -> str:
    """The color of a name: the same in every figure of every run."""
    if not name or name.startswith("no "):
        return UNNAMED
    palette = list(NAMED.values())
    return NAMED.get(name) or palette[int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(palette)]


def colors_of(names: Iterable[str]) -> dict[str, str]:
    """The colors of several names, sorted by name."""
    return {name: color_of(name) for name in sorted(set(names))}


def template() -> go.layout.Template:
    """The project's one look: no background of its own, muted ink, thin grid, color-blind-safe colors."""
    axis = {"gridcolor": GRID, "zerolinecolor": GRID, "linecolor": INK, "ticks": "outside", "tickcolor": GRID}
    layout = go.Layout(
        font={"family": "system-ui, sans-serif", "size": 13, "color": INK},
        title={"font": {"size": 15}, "x": 0, "xanchor": "left", "xref": "paper"},
        colorway=COLORS,
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        xaxis=axis,
        yaxis={**axis, "automargin": True},
        legend={"title": {"text": ""}},
        margin={"l": 64, "r": 24, "t": 56, "b": 52},
        height=HEIGHT,
        hoverlabel={"align": "left"},
        modebar={"orientation": "v"},
        colorscale={"sequential": SCALE},
    )
    return go.layout.Template(layout=layout)


class WithPicture(MimetypeRenderer):
    """A figure's output: what draws it in JupyterLab, a picture for where nothing does, and its title as text.

    Pictures need Chrome or Chromium and take a few tenths of a second each; ``DCM_PICTURES=0`` leaves them out.
    """

    def __init__(self):
        self._draws = bool(parameter("pictures", 1))

    def to_mimebundle(self, fig_dict: dict) -> dict:
        """The output's forms by MIME type."""
        title = fig_dict.get("layout", {}).get("title", {}).get("text", "")
        bundle = {PLOTLY: fig_dict, "text/plain": f"Figure: {title or 'untitled'}"}
        drawn = self.picture(fig_dict)
        return bundle if drawn is None else {**bundle, "image/png": base64.b64encode(drawn).decode()}

    def picture(self, fig_dict: dict) -> bytes | None:
        """A figure as PNG, on white; None where pictures are not wanted or nothing can draw them."""
        if not self._draws:
            return None
        import kaleido

        on_white = {**fig_dict, "layout": {**fig_dict.get("layout", {}), "paper_bgcolor": "white"}}
        height = fig_dict.get("layout", {}).get("height") or HEIGHT
        try:
            kaleido.start_sync_server(silence_warnings=True)  # one browser for all figures of a kernel
            return kaleido.calc_fig_sync(on_white, opts={"format": "png", "width": WIDTH, "height": height})
        except Exception as error:  # whatever a browser does, the figure itself must be shown
            print(f"Figures are kept without pictures: {type(error).__name__}: {error}", file=sys.stderr)
            self._draws = False
            return None


pio.templates["dcm"] = template()
PICTURES = WithPicture()
pio.renderers["dcm"] = PICTURES
if pio.renderers.default == "plotly_mimetype":  # a Jupyter kernel; elsewhere plotly's own choice stays
    pio.renderers.default = "dcm"
