"""The one look of all figures: readable on light and dark pages, colors that everyone can tell apart."""

import plotly.graph_objects as go
import plotly.io as pio

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442")
"""Told apart by people with any kind of color vision (Okabe and Ito, 2008)."""
INK = "#7a7f87"
"""Text and axes: about equally readable on a white and on a black page."""
GRID = "rgba(128, 134, 142, 0.25)"
SCALE = "Viridis"
TEXT_LIMIT = 60


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
        height=380,
        hoverlabel={"align": "left"},
        colorscale={"sequential": SCALE},
    )
    return go.layout.Template(layout=layout)


pio.templates["dcm"] = template()


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """Text for a label: cut, on one line, and with markup made harmless (plotly reads tags in labels)."""
    text = " ".join(text.split()) or repr(text).strip("'")
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
