"""Figures hold what their tables say, in the one template, and texts cannot bring markup into them."""

import pandas as pd
import plotly.graph_objects as go
import pytest

from dcm_helpers.runs import curves_of
from dcm_helpers.show import (
    cluster_map,
    distributions,
    loss_curves,
    rates,
    reconstructed_by_step,
    scatter,
    slices,
    status_grid,
    surface,
)
from dcm_helpers.show.figures import STATES
from dcm_helpers.show.style import COLORS, INK, TEXT_LIMIT


def records():
    return pd.DataFrame(
        {"kind": ["a", "a", "a", "b"], "steps": [5, 2, 9, 4], "reconstructed": [True, True, False, True]}
    )


def test_share_reconstructed_counts_failures_in_the_denominator():
    figure = reconstructed_by_step(records(), "title")
    assert list(figure.data[0].x) == [0, 2, 5]
    assert list(figure.data[0].y) == pytest.approx([0, 1 / 3, 2 / 3])
    assert list(figure.data[1].y) == [0, 1.0]


def test_status_grid_codes_every_problem_and_leaves_the_rest_blank():
    states = pd.DataFrame(
        {"problem": list("abcd"), "state": list(STATES), "steps": [0, 1, 2, 3], "loss": [float("nan"), 1, 2, 3]}
    )
    grid = status_grid(states, columns=3).data[0]
    assert [list(row) for row in grid.z] == [[0, 1, 2], [3, None, None]]
    assert "optimizing, 1 steps" in grid.text[0][1]


def test_rates_carry_their_intervals():
    table = pd.DataFrame({"K": [1, 8], "kind": "x", "rate": [0.2, 0.9], "low": [0.1, 0.7], "high": [0.4, 1.0], "n": 10})
    trace = rates(table, "K", "title", "slots K", log_x=True).data[0]
    assert list(trace.error_y.array) == pytest.approx([0.2, 0.1])
    assert list(trace.error_y.arrayminus) == pytest.approx([0.1, 0.2])


def test_clusters_carry_the_problem_and_harmless_texts():
    points = pd.DataFrame(
        {
            "x": [0.0, 1.0],
            "y": [1.0, 0.0],
            "problem": ["p<1>", "p2"],
            "question": ["<script>alert(1)</script>", "b"],
            "answer": ["x" * 200, "y"],
            "decoded": ["a & b", "c"],
            "topic": ["one", "two"],
        }
    )
    figure = cluster_map(points, "title", color="topic", method="PCA")
    raw, *shown = figure.data[0].customdata[0]
    assert raw == "p<1>", "what a click hands on"
    assert shown[1].startswith("&lt;script&gt;") and len(shown[2]) <= TEXT_LIMIT and shown[3] == "a &amp; b"
    assert figure.layout.xaxis.title.text == "PCA 1 (no unit)"


def test_every_figure_has_the_template_and_titled_axes():
    curves = curves_of([("p", ("Q", "A"), [(0, (2.0, 1.0)), (1, (1.0, 0.5))])])
    assert curves["loss"].tolist() == [2.0, 1.0, 1.0, 0.5]
    line = pd.DataFrame({"line": "a", "t": [0, 1], "loss": [1.0, 2.0], "teacher_forced_exact": [True, False]})
    square = pd.DataFrame({"x": [0, 0, 1, 1], "y": [0, 1, 0, 1], "loss": [1.0, 2, 3, 4]})
    some = pd.DataFrame({"kind": ["a", "b"], "value": [1.0, 2.0], "name": ["m", "n"]})
    labels = {"value": "value (unit)"}
    figures = [
        loss_curves(curves, "title"),
        slices(line, "title", "t"),
        surface(square, "title", "x", "y"),
        distributions(some, "value", "title", "value (unit)"),
        scatter(some, "value", "value", "kind", "name", "title", labels),
        reconstructed_by_step(records(), "title"),
    ]
    assert list(figures[2].data[0].z[0]) == [1.0, 3.0], "rows of a surface are y"
    for figure in figures:
        assert isinstance(figure, go.Figure)
        assert figure.layout.template.layout.colorway == COLORS
        assert figure.layout.title.text == "title" and figure.layout.xaxis.title.text


def test_ink_is_readable_on_white_and_on_dark():
    """Contrast by WCAG: at least 3.5 to 1 on a white page and on JupyterLab's dark one."""

    def luminance(color):
        parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for page in ("#ffffff", "#111111"):
        light, dark = sorted((luminance(INK), luminance(page)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.5
