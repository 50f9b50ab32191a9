"""Figures of a Diffuser: how training went, and where its slots look on the way from noise to a content."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dcm_helpers.markup import label
from dcm_helpers.shapes import Float
from dcm_helpers.show.style import COLORS, SCALE


def training_curves(measures: Sequence[dict], title: str) -> go.Figure:
    """Losses of training, and nats a token of what it was measured on, against steps.

    Args:     measures  as a Diffuser's ``log.jsonl`` has them
    """
    table = pd.json_normalize(list(measures))
    figure = go.Figure(layout={"template": "dcm", "title": label(title)})
    names = {
        "distance": "distance to targets, learned from",
        "nats": "nats a token, learned from",
        "chosen_on.nats": "nats a token, what the best step is chosen on",
    }
    for color, (column, name) in zip(COLORS, names.items(), strict=False):
        if column in table:
            figure.add_scatter(x=table["step"], y=table[column], name=name, mode="lines", line_color=color)
    figure.update_xaxes(title="steps of training", rangemode="tozero")
    return figure.update_yaxes(title="loss", rangemode="tozero").update_layout(showlegend=True)


def attention_by_step(shares: Float[np.ndarray, "steps K X"], tokens: Sequence[str], title: str) -> go.Figure:
    """How much each slot takes of each token of the condition; a slider goes through the steps from noise to content.

    Args:     shares  from 0 to 1;  tokens  their texts
    """
    names = [f"{place} {label(token)}" for place, token in enumerate(tokens)]
    slots = [f"slot {number}" for number in range(shares.shape[1])]
    heatmaps = [
        go.Heatmap(
            z=step,
            x=names,
            y=slots,
            zmin=0,
            zmax=float(shares.max()),
            colorscale=SCALE,
            colorbar_title="share",
            visible=number == len(shares) - 1,
            hovertemplate="%{y}, %{x}: %{z:.2f}<extra></extra>",
        )
        for number, step in enumerate(shares)
    ]
    figure = go.Figure(heatmaps, layout={"template": "dcm", "title": label(title)})
    figure.update_xaxes(tickvals=names, ticktext=[label(token) for token in tokens], tickangle=-60)
    figure.update_yaxes(autorange="reversed")
    if len(shares) > 1:
        only = np.eye(len(shares), dtype=bool).tolist()
        steps = [
            {"label": str(number), "method": "update", "args": [{"visible": visible}]}
            for number, visible in enumerate(only, 1)
        ]
        slider = {"steps": steps, "active": len(shares) - 1, "currentvalue": {"prefix": "step "}, "pad": {"t": 80}}
        figure.update_layout(sliders=[slider])
    return figure
