"""Figures hold what their tables say, in the one template, and texts cannot bring markup into them."""

import base64
import shutil

import pandas as pd
import plotly.graph_objects as go
import pytest

from dcm_helpers.markup import TEXT_LIMIT
from dcm_helpers.show import (
    alignment,
    cluster_map,
    distributions,
    matrix,
    rates,
    reconstructed_by_step,
    scatter,
    slices,
    surface,
    token_probabilities,
)
from dcm_helpers.show.figures import PARTS
from dcm_helpers.show.style import COLORS, INK, PLOTLY, WithPicture, color_of


def records():
    return pd.DataFrame(
        {
            "kind": ["a", "a", "a", "b"],
            "steps": [105, 102, 9, 104],
            "steps_to_exact": [5, 2, None, 4],
            "reconstructed": [True, True, False, True],
        }
    )


def test_share_exact_is_over_steps_to_exact_and_failures_are_in_the_denominator():
    """Not over all updates of a restart, which go on after the first exact content."""
    figure = reconstructed_by_step(records(), "title")
    assert list(figure.data[0].x) == [0, 2, 5, 105], "every curve goes on to the last step of all"
    assert list(figure.data[0].y) == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])
    assert list(figure.data[1].y) == [0, 1.0, 1.0]
    assert figure.layout.xaxis.title.text == "steps to exact"


def test_rates_carry_their_intervals():
    table = pd.DataFrame({"K": [1, 8], "kind": "x", "rate": [0.2, 0.9], "low": [0.1, 0.7], "high": [0.4, 1.0], "n": 10})
    trace = rates(table, "K", "title", "slots K", log_x=True).data[0]
    assert list(trace.error_y.array) == pytest.approx([0.2, 0.1])
    assert list(trace.error_y.arrayminus) == pytest.approx([0.1, 0.2])


def test_clusters_carry_harmless_texts_and_colors_of_names():
    points = pd.DataFrame(
        {
            "x": [0.0, 1.0],
            "y": [1.0, 0.0],
            "problem": ["p<1>", "p2"],
            "question": ["<script>alert(1)</script>", "$5 or $6"],
            "answer": ["x" * 200, "y"],
            "topic": ["history", "physics"],
        }
    )
    figure = cluster_map(points, "title", color="topic", method="PCA")
    shown = figure.data[0].customdata[0]
    assert shown[0] == "p&lt;1&gt;" and shown[1].startswith("&lt;script&gt;") and len(shown[2]) <= TEXT_LIMIT
    assert "$" not in figure.data[1].customdata[0][1], "no mathematics"
    assert figure.layout.xaxis.title.text == "PCA 1 (no unit)"
    alone = cluster_map(points.tail(1), "title", color="topic", method="PCA")
    assert alone.data[0].marker.color == figure.data[1].marker.color, "colors do not change between runs"


def test_titles_and_names_from_the_data_are_harmless():
    """A pair's id stands in titles, legends and hovers: as text."""
    hostile = "<b>$x$</b>"
    table = pd.DataFrame({"kind": [hostile], "value": [1.0], "name": [hostile]})
    line = pd.DataFrame({"line": hostile, "t": [0, 1], "loss": [1.0, 2.0], "teacher_forced_exact": [True, False]})
    square = pd.DataFrame({"x": [0, 0, 1, 1], "y": [0, 1, 0, 1], "loss": [1.0, 2, 3, 4]})
    tokens = pd.DataFrame({"view": ["Q"], "position": [1], "token": [hostile], "probability": [0.5]})
    positions = pd.DataFrame({"view": ["Q"], "position": [0], "part": ["target"], "token": [hostile], "predicts": [""]})
    figures = [
        distributions(table, "value", hostile, "value"),
        scatter(table, "value", "value", "kind", "name", hostile, {}),
        slices(line, hostile, "t"),
        surface(square, hostile, "x", "y"),
        token_probabilities(tokens, hostile),
        alignment(positions, hostile),
        matrix(pd.DataFrame([[1.0]], index=[hostile], columns=[hostile]), hostile, "unit"),
        reconstructed_by_step(records().assign(kind=hostile), hostile),
    ]
    for figure in figures:
        text = figure.to_json().replace("\\u003c", "<").replace("\\u003e", ">")
        assert "<b>$" not in text, figure.data[0].type
        assert figure.layout.title.text == "&lt;b&gt;&#36;x&#36;&lt;/b&gt;"


def test_every_figure_has_the_template_and_titled_axes():
    line = pd.DataFrame({"line": "a", "t": [0, 1], "loss": [1.0, 2.0], "teacher_forced_exact": [True, False]})
    square = pd.DataFrame({"x": [0, 0, 1, 1], "y": [0, 1, 0, 1], "loss": [1.0, 2, 3, 4]})
    some = pd.DataFrame({"kind": ["a", "b"], "value": [1.0, 2.0], "name": ["m", "n"]})
    labels = {"value": "value (unit)"}
    figures = [
        slices(line, "title", "t"),
        surface(square, "title", "x", "y"),
        distributions(some, "value", "title", "value (unit)"),
        scatter(some, "value", "value", "kind", "name", "title", labels),
        reconstructed_by_step(records(), "title"),
    ]
    assert list(figures[1].data[0].z[0]) == [1.0, 3.0], "rows of a surface are y"
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


def test_colors_belong_to_names():
    assert color_of("history") == color_of("history") != color_of("physics")
    assert color_of("my own topic") == color_of("my own topic")
    assert color_of("no topic") == color_of("no cluster") == color_of("")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium draws the pictures, and is not installed")
def test_a_picture_stands_beside_a_figure(monkeypatch):
    """One output holds what draws the figure and a PNG of it; without pictures the figure is there all the same."""
    monkeypatch.delenv("DCM_PICTURES", raising=False)
    figure = distributions(pd.DataFrame({"kind": ["a"], "value": [1.0]}), "value", "A title", "value").to_dict()
    bundle = WithPicture().to_mimebundle(figure)
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG") and len(bundle["image/png"]) < 300_000
    monkeypatch.setenv("DCM_PICTURES", "0")
    plain = WithPicture().to_mimebundle(figure)
    assert set(plain) == {PLOTLY, "text/plain"} and "A title" in plain["text/plain"]


def test_a_browser_that_fails_costs_the_picture_alone(monkeypatch, capsys):
    monkeypatch.delenv("DCM_PICTURES", raising=False)
    monkeypatch.setattr("kaleido.calc_fig_sync", lambda *_, **__: 1 / 0)
    monkeypatch.setattr("kaleido.start_sync_server", lambda **_: None)
    assert set(WithPicture().to_mimebundle({"data": [], "layout": {}})) == {PLOTLY, "text/plain"}
    assert "without pictures" in capsys.readouterr().err


def test_every_figure_draws_the_numbers_of_its_table():
    """What a title promises is a column of the table, drawn as it is: every point, every box, every cell."""
    table = pd.DataFrame({"kind": ["a", "b", "a"], "x": [1.0, 2.0, 3.0], "y": [4.0, 5.0, 6.0], "name": list("mno")})
    points = scatter(table, "x", "y", "kind", "name", "title", {"x": "x (unit)", "y": "y (unit)"})
    drawn = {trace.name: (list(trace.x), list(trace.y), list(trace.hovertext)) for trace in points.data}
    assert drawn == {"a": ([1.0, 3.0], [4.0, 6.0], ["m", "o"]), "b": ([2.0], [5.0], ["n"])}
    assert points.layout.xaxis.title.text == "x (unit)" and points.layout.yaxis.title.text == "y (unit)"
    boxes = {trace.name: list(trace.x) for trace in distributions(table, "y", "title", "y (unit)").data}
    assert boxes == {"a": [4.0, 6.0], "b": [5.0]}
    line = pd.DataFrame(
        {"line": ["l", "l", "k"], "t": [0, 1, 0], "loss": [1.0, 2.0, 3.0], "teacher_forced_exact": [True, False, True]}
    )
    *lines, exact = slices(line, "title", "t").data
    assert [(each.name, list(each.x), list(each.y)) for each in lines] == [("l", [0, 1], [1.0, 2.0]), ("k", [0], [3.0])]
    assert (exact.name, list(exact.x), list(exact.y)) == ("exact here", [0, 0], [1.0, 3.0])
    numbers = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=["r", "s"], columns=["c", "d"])
    (cells,) = matrix(numbers, "title", "unit").data
    assert (
        cells.z.tolist() == numbers.to_numpy().tolist() and list(cells.x) == ["c", "d"] and list(cells.y) == ["r", "s"]
    )
    tokens = pd.DataFrame(
        {"view": ["Q", "Q", "A"], "position": [1, 2, 1], "token": ["x", "y", "z"], "probability": [0.1, 0.9, 0.5]}
    )
    bars = {
        trace.name: (list(trace.x), list(trace.y), list(trace.text)) for trace in token_probabilities(tokens, "t").data
    }
    assert bars == {"Q": ([1, 2], [0.1, 0.9], ["x", "y"]), "A": ([1], [0.5], ["z"])}
    row = pd.DataFrame(
        {
            "view": "Q",
            "position": [0, 1, 2],
            "part": ["mode", "content", "target"],
            "token": ["Q", "c1", "x"],
            "predicts": ["", "x", "⏎"],
        }
    )
    figure = alignment(row, "title")
    assert [list(lane) for lane in figure.data[0].z] == [
        [list(PARTS).index(part) for part in row["part"]],
        [None, *[list(PARTS).index("scored")] * 2],
    ]
    written = [(note.x, note.y, note.text) for note in figure.layout.annotations if note.text]
    assert written == [
        *[(place, "Q reads", text) for place, text in enumerate(row["token"])],
        *[(place, "Q predicts", text) for place, text in enumerate(row["predicts"]) if text],
    ]
