"""Figures: tables in, plotly Figure out.

Every function takes a pandas table with the columns that it names, and computes nothing that is not drawn.
"""

from collections.abc import Sequence

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from dcm_helpers.markup import label
from dcm_helpers.show.style import COLORS, INK, SCALE, colors_of

PARTS = {
    "padding": "#c8ccd1",
    "BOS": COLORS[4],
    "mode": COLORS[0],
    "content": COLORS[1],
    "given": COLORS[3],
    "target": COLORS[2],
    "scored": COLORS[5],
}
"""Colors of the parts of a row, and of what is scored."""
DRAWN = {"template": "dcm"}
TITLE = 120
"""Titles are cut here, in characters."""


def reconstructed_by_step(problems: pd.DataFrame, title: str) -> go.Figure:
    """Share of problems whose content is exact after so many steps; one that never was counts below the line.

    Args:     problems  columns kind (one curve each), reconstructed, steps, and steps_to_exact
    """
    last = problems["steps"].max()  # every curve goes on to here
    figure = go.Figure(layout={"template": "dcm", "title": label(title, TITLE)})
    for kind, group in problems.groupby("kind", sort=False):
        steps = sorted(group.loc[group["reconstructed"], "steps_to_exact"].dropna())
        shares = [index / len(group) for index in range(len(steps) + 1)]
        figure.add_scatter(
            x=[0, *steps, last],
            y=[*shares, shares[-1]],
            name=f"{label(kind)}, n={len(group)}",
            line_shape="hv",
            mode="lines",
            hovertemplate="%{y:.0%} exact after %{x} steps",
        )
    figure.update_xaxes(title="steps to exact", rangemode="tozero")
    figure.update_layout(showlegend=True)
    return figure.update_yaxes(title="share of problems", tickformat=".0%", range=[0, 1.05])


def rates(
    table: pd.DataFrame,
    x: str,
    title: str,
    x_title: str,
    y_title: str = "reconstructed (95 % interval)",
    log_x: bool = False,
) -> go.Figure:
    """Rates with their 95 % Wilson intervals.

    Args:     table  columns ``x``, rate, low, high, n, and kind (one line each)
    """
    figure = go.Figure(layout={"template": "dcm", "title": label(title, TITLE)})
    for kind, group in table.groupby("kind", sort=False):
        figure.add_scatter(
            x=group[x],
            y=group["rate"],
            name=label(kind),
            mode="lines+markers",
            customdata=group["n"],
            error_y={
                "type": "data",
                "array": group["high"] - group["rate"],
                "arrayminus": group["rate"] - group["low"],
            },
            hovertemplate="%{x}: %{y:.0%} of %{customdata}",
        )
    if log_x:
        ticks = sorted(set(table[x]))
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title, tickformat=".0%", range=[-0.03, 1.05])


def token_probabilities(tokens: pd.DataFrame, title: str) -> go.Figure:
    """Probability of each written token, one panel per view.

    Args:     tokens  columns view, position, token, probability
    """
    figure = px.bar(
        tokens.assign(token=tokens["token"].map(label), view=tokens["view"].map(label)),
        x="position",
        y="probability",
        facet_row="view",
        text="token",
        title=label(title, TITLE),
        color="view",
        hover_data={"token": True},
        labels={"position": "position in the target"},
        **DRAWN,
    )
    figure.update_traces(textposition="inside", textangle=-90, insidetextanchor="start")
    figure.update_yaxes(range=[0, 1], tickformat=".0%")
    figure.for_each_annotation(lambda note: note.update(text=note.text.replace("view=", "view ")))
    return figure.update_layout(showlegend=False, height=460, uniformtext={"minsize": 9, "mode": "show"})


def alignment(positions: pd.DataFrame, title: str) -> go.Figure:
    """What stands at every position of a row, and below it which target token it must predict.

    Args:     positions  columns view, position, part (a key of PARTS), token, predicts (empty where nothing is scored)
    """
    names = list(PARTS)
    colors = [(edge / len(names), PARTS[name]) for index, name in enumerate(names) for edge in (index, index + 1)]
    lanes, codes, texts = [], [], []
    for view, row in positions.groupby("view", sort=False):
        lanes += [f"{view} reads", f"{view} predicts"]
        codes += [
            [names.index(part) for part in row["part"]],
            [names.index("scored") if text else None for text in row["predicts"]],
        ]
        texts += [list(row["token"]), list(row["predicts"])]
    figure = go.Figure(
        go.Heatmap(
            z=codes,
            y=lanes,
            zmin=-0.5,
            zmax=len(names) - 0.5,
            colorscale=colors,
            opacity=0.35,
            xgap=2,
            ygap=4,
            hoverinfo="skip",
            colorbar={"tickvals": list(range(len(names))), "ticktext": names, "title": ""},
        ),
        layout={"template": "dcm", "title": label(title, TITLE), "height": 110 + 82 * len(lanes)},
    )
    for lane, row in zip(lanes, texts, strict=True):
        for position, text in enumerate(row):
            written = label(text, 13) if text else ""
            figure.add_annotation(x=position, y=lane, text=written, textangle=-90, showarrow=False, font_size=11)
    figure.update_xaxes(title="position in the row", dtick=1, showgrid=False)
    return figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")


def cluster_map(points: pd.DataFrame, title: str, color: str, method: str) -> go.Figure:
    """Contents in the plane; hovering shows the problem and its texts. Colors belong to names, not to runs.

    Args:     points  columns x, y, problem, question, answer, and the one named by ``color``;  method  what made the
              plane, for the axes
    """
    figure = go.Figure(layout={"template": "dcm", "title": label(title, TITLE), "height": 480})
    colors = colors_of(points[color])
    for name, group in points.groupby(color, sort=True):
        figure.add_scatter(
            x=group["x"],
            y=group["y"],
            mode="markers",
            name=label(name, 24),
            customdata=group[["problem", "question", "answer"]].map(label),
            marker={"size": 9, "color": colors[name], "line": {"width": 0.5}},
            hovertemplate="<b>%{customdata[0]}</b><br>Q: %{customdata[1]}<br>A: %{customdata[2]}<extra></extra>",
        )
    figure.update_xaxes(title=f"{method} 1 (no unit)", showticklabels=False, ticks="")
    return figure.update_yaxes(title=f"{method} 2 (no unit)", showticklabels=False, ticks="")


def slices(table: pd.DataFrame, title: str, x_title: str) -> go.Figure:
    """Loss along lines through content space.

    Args:     table  columns line, t, loss (nats per token, summed over views), teacher_forced_exact
    """
    figure = go.Figure(layout={"template": "dcm", "title": label(title, TITLE)})
    for name, group in table.groupby("line", sort=False):
        figure.add_scatter(x=group["t"], y=group["loss"], name=label(name), mode="lines")
    exact = table[table["teacher_forced_exact"]]
    figure.add_scatter(
        x=exact["t"],
        y=exact["loss"],
        name="exact here",
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": INK},
    )
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title="loss, sum of views (nats per token)", rangemode="tozero")


def surface(table: pd.DataFrame, title: str, x_title: str, y_title: str) -> go.Figure:
    """Loss over a plane through a content, as contours; the content is at the origin.

    Args:     table  columns x, y, loss (nats per token, summed over views), on a full grid
    """
    grid = table.pivot(index="y", columns="x", values="loss")
    figure = go.Figure(
        go.Contour(
            z=grid,
            x=grid.columns,
            y=grid.index,
            colorscale=SCALE,
            reversescale=True,
            colorbar={"title": "loss (nats<br>per token)"},
        ),
        layout={"template": "dcm", "title": label(title, TITLE), "height": 480},
    )
    # what is drawn over the contours is named above them, not over the color bar
    figure.update_layout(legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"})
    marker = {"symbol": "star", "size": 14, "color": COLORS[5]}
    figure.add_scatter(x=[0], y=[0], mode="markers", marker=marker, name="content*", showlegend=False)
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title)


def distributions(table: pd.DataFrame, value: str, title: str, x_title: str) -> go.Figure:
    """How values of several kinds are distributed: a box with all points for each.

    Args:     table  columns kind and ``value``
    """
    figure = go.Figure(layout={"template": "dcm", "title": label(title, TITLE)})
    for kind, group in table.groupby("kind", sort=False):
        figure.add_box(x=group[value], name=label(kind), boxpoints="all", jitter=0.5, pointpos=0, marker_size=3)
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(autorange="reversed").update_layout(showlegend=False)


def scatter(
    table: pd.DataFrame, x: str, y: str, color: str, hover: str, title: str, labels: dict[str, str]
) -> go.Figure:
    """Points of two columns against each other; ``labels`` are their axis titles, with units."""
    figure = px.scatter(
        table.assign(**{color: table[color].map(label)}),
        x=x,
        y=y,
        color=color,
        symbol=color,
        hover_name=table[hover].map(label),
        title=label(title, TITLE),
        labels=labels,
        **DRAWN,
    )
    figure.update_layout(showlegend=table[color].nunique() > 1)
    return figure.update_traces(marker_size=8).update_xaxes(rangemode="tozero").update_yaxes(rangemode="tozero")


def matrix(table: pd.DataFrame, title: str, unit: str, digits: int | None = 2) -> go.Figure:
    """A table of numbers as a heat map; with ``digits``, the values are written into the cells."""
    text = f".{digits}f" if digits is not None else False
    figure = px.imshow(
        table.rename(index=label, columns=label),
        text_auto=text,
        aspect="auto",
        title=label(title, TITLE),
        labels={"color": unit},
        **DRAWN,
    )
    return figure.update_xaxes(title="").update_yaxes(title="")


def throughput(rows: Sequence[dict], baselines: float) -> go.Figure:
    """Results a second against workers: measured with workers that sleep, and as workers and driver bound them.

    Args:     rows  of :func:`dcm_helpers.bench.scale_table`;  baselines  seconds that they take the driver for a pair
    """
    table = pd.DataFrame(rows)
    most = table["stored_per_second"].max()
    figure = go.Figure(layout={"template": "dcm", "title": "What one driver takes in"})
    for (seconds, group), color in zip(table.groupby("seconds_a_problem", sort=False), COLORS, strict=False):
        name, line = f"{seconds:g} s a problem", {"color": color, "dash": "dot"}
        bound = group["brought_per_second"].clip(upper=most)
        figure.add_scatter(x=group["workers"], y=bound, name=f"{name}: bound", mode="lines", line=line)
        figure.add_scatter(
            x=group["workers"], y=group["stored_per_second"], name=name, mode="markers", marker={"color": color}
        )
    ends = [table["workers"].min(), table["workers"].max()]
    with_baselines = {"name": "with baselines by the driver: bound", "line": {"color": INK, "dash": "dash"}}
    figure.add_scatter(x=ends, y=[1 / baselines] * 2, mode="lines", **with_baselines)
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title="workers", type="log", dtick=1)
    return figure.update_yaxes(title="results stored a second", type="log", dtick=1)
