"""Figures: tables in, plotly Figure out.

Every function takes a pandas table with the columns that it names, and computes nothing that is not drawn.
"""

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go

from dcm_helpers.show.style import COLORS, INK, SCALE, shortened

STATES = {"waiting": "#b5bac1", "optimizing": COLORS[4], "failed": COLORS[5], "reconstructed": COLORS[2]}
"""Colors of a problem's state."""
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
NATS = "loss (nats per token)"
DRAWN = {"template": "dcm"}


def loss_curves(curves: pd.DataFrame, title: str) -> go.Figure:
    """Loss of each view against steps, one line per problem and view.

    Args:     curves  columns problem, view, step, loss (nats per token)
    """
    figure = px.line(
        curves,
        x="step",
        y="loss",
        color="view",
        line_group="problem",
        hover_name="problem",
        title=title,
        log_y=True,
        labels={"step": "step", "loss": NATS},
        **DRAWN,
    )
    return figure.update_traces(line_width=1.5, opacity=0.8)


def reconstructed_by_step(results: pd.DataFrame, title: str) -> go.Figure:
    """Share of problems that are reconstructed after so many steps; a problem that never was counts below the line.

    Args:     results  columns steps, reconstructed, and kind (one curve each)
    """
    figure = go.Figure(layout={"template": "dcm", "title": title})
    for kind, group in results.groupby("kind", sort=False):
        steps = sorted(group.loc[group["reconstructed"], "steps"])
        shares = [index / len(group) for index in range(len(steps) + 1)]
        figure.add_scatter(
            x=[0, *steps],
            y=shares,
            name=f"{kind}, n={len(group)}",
            line_shape="hv",
            mode="lines",
            hovertemplate="%{y:.0%} after %{x} steps",
        )
    figure.update_xaxes(title="steps", rangemode="tozero")
    figure.update_layout(showlegend=True)
    return figure.update_yaxes(title="reconstructed", tickformat=".0%", range=[0, 1.05])


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
    figure = go.Figure(layout={"template": "dcm", "title": title})
    for kind, group in table.groupby("kind", sort=False):
        figure.add_scatter(
            x=group[x],
            y=group["rate"],
            name=str(kind),
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
        figure.update_xaxes(type="log", tickvals=sorted(set(table[x])))
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title, tickformat=".0%", range=[-0.03, 1.05])


def token_probabilities(tokens: pd.DataFrame, title: str) -> go.Figure:
    """Probability of each written token, one panel per view.

    Args:     tokens  columns view, position, token, probability
    """
    figure = px.bar(
        tokens,
        x="position",
        y="probability",
        facet_row="view",
        text="token",
        title=title,
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
        layout={"template": "dcm", "title": title, "height": 110 + 82 * len(lanes)},
    )
    for lane, row in zip(lanes, texts, strict=True):
        for position, text in enumerate(row):
            label = shortened(text, 13) if text else ""
            figure.add_annotation(x=position, y=lane, text=label, textangle=-90, showarrow=False, font_size=11)
    figure.update_xaxes(title="position in the row", dtick=1, showgrid=False)
    return figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")


def status_grid(states: pd.DataFrame, columns: int = 20) -> go.Figure:
    """The state of every problem as a grid of cells.

    Args:     states  columns problem, state (a key of STATES), steps, loss
    """
    names = list(STATES)
    colors = [(edge / len(names), STATES[name]) for index, name in enumerate(names) for edge in (index, index + 1)]
    height = max(1, -(-len(states) // columns))
    blank = [None] * (columns * height - len(states))
    hover = [
        f"{shortened(row.problem)}<br>{row.state}, {row.steps} steps, loss {row.loss:.3f}"
        for row in states.itertuples()
    ]
    rows = range(0, columns * height, columns)
    codes = [*(names.index(state) for state in states["state"]), *blank]
    hover += blank
    figure = go.Figure(
        go.Heatmap(
            z=[codes[start : start + columns] for start in rows],
            text=[hover[start : start + columns] for start in rows],
            zmin=-0.5,
            zmax=len(names) - 0.5,
            colorscale=colors,
            xgap=3,
            ygap=3,
            hoverinfo="text",
            hoverongaps=False,
            colorbar={"tickvals": list(range(len(names))), "ticktext": names, "title": "", "len": 1.1},
        ),
        layout={"template": "dcm", "height": 90 + 26 * height, "margin": {"l": 16, "r": 16, "t": 16, "b": 16}},
    )
    figure.update_xaxes(visible=False)
    return figure.update_yaxes(visible=False, autorange="reversed")


def cluster_map(points: pd.DataFrame, title: str, color: str, method: str) -> go.Figure:
    """Contents in the plane; hovering shows the problem and what is written from its content.

    Each point carries its problem's id as the first entry of its ``customdata``.

    Args:     points  columns x, y, problem, question, answer, decoded, and the one named by ``color``;  method  what
              made the plane, for the axes
    """
    figure = go.Figure(layout={"template": "dcm", "title": title, "height": 520})
    texts = ["problem", "question", "answer", "decoded"]
    symbols = ("circle", "diamond", "square", "cross", "triangle-up", "x")
    for index, (name, group) in enumerate(points.groupby(color, sort=True)):
        shown = group[texts].map(lambda text: shortened(str(text)))
        figure.add_scatter(
            x=group["x"],
            y=group["y"],
            mode="markers",
            name=shortened(str(name), 24),
            customdata=shown.assign(raw=group["problem"])[["raw", *texts]],
            marker={"size": 10, "symbol": symbols[index // len(COLORS) % len(symbols)], "line": {"width": 0.5}},
            hovertemplate="<b>%{customdata[1]}</b><br>Q: %{customdata[2]}<br>A: %{customdata[3]}<br>"
            "writes: %{customdata[4]}<extra></extra>",
        )
    figure.update_xaxes(title=f"{method} 1 (no unit)")
    return figure.update_yaxes(title=f"{method} 2 (no unit)")


def slices(table: pd.DataFrame, title: str, x_title: str) -> go.Figure:
    """Loss along lines through content space.

    Args:     table  columns line, t, loss (nats per token, summed over views), teacher_forced_exact
    """
    figure = go.Figure(layout={"template": "dcm", "title": title})
    for name, group in table.groupby("line", sort=False):
        figure.add_scatter(x=group["t"], y=group["loss"], name=str(name), mode="lines")
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
        layout={"template": "dcm", "title": title, "height": 480},
    )
    marker = {"symbol": "star", "size": 14, "color": COLORS[5]}
    figure.add_scatter(x=[0], y=[0], mode="markers", marker=marker, name="content*", showlegend=False)
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(title=y_title)


def distributions(table: pd.DataFrame, value: str, title: str, x_title: str) -> go.Figure:
    """How values of several kinds are distributed: a box with all points for each.

    Args:     table  columns kind and ``value``
    """
    figure = go.Figure(layout={"template": "dcm", "title": title})
    for kind, group in table.groupby("kind", sort=False):
        figure.add_box(x=group[value], name=str(kind), boxpoints="all", jitter=0.5, pointpos=0, marker_size=3)
    figure.update_xaxes(title=x_title)
    return figure.update_yaxes(autorange="reversed").update_layout(showlegend=False)


def scatter(
    table: pd.DataFrame, x: str, y: str, color: str, hover: str, title: str, labels: dict[str, str]
) -> go.Figure:
    """Points of two columns against each other; ``labels`` are their axis titles, with units."""
    figure = px.scatter(
        table, x=x, y=y, color=color, symbol=color, hover_name=table[hover].map(shortened), title=title, labels=labels,
        **DRAWN,
    )  # fmt: skip
    return figure.update_traces(marker_size=8).update_xaxes(rangemode="tozero").update_yaxes(rangemode="tozero")


def matrix(table: pd.DataFrame, title: str, unit: str, digits: int | None = 2) -> go.Figure:
    """A table of numbers as a heat map; with ``digits``, the values are written into the cells."""
    text = f".{digits}f" if digits is not None else False
    figure = px.imshow(table, text_auto=text, aspect="auto", title=title, labels={"color": unit}, **DRAWN)
    return figure.update_xaxes(title="").update_yaxes(title="")
