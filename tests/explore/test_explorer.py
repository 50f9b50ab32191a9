"""The explorer without a browser: what its points say, what its controls do, and that texts of the data stay texts."""

import json
import re

import numpy as np
import pytest
import torch

from dcm_helpers.errors import InputError
from dcm_helpers.explore import Explorer
from dcm_helpers.explore.change import Change
from dcm_helpers.explore.kept import kept
from dcm_helpers.explore.points import Points, clouds_of
from dcm_helpers.runs import Run, open_run

NOTHING = {"noise": 0, "seed": 0, "blend": 0, "other": "", "swapped": None, "emptied": []}


@pytest.fixture(scope="module")
def explorer(example):
    return Explorer(example, starts=True)


def point_of(explorer, name, starts=False):
    """Number of a problem's content, or of its start."""
    table = explorer.points.table
    return table.index[(table["problem"] == name) & (table["set"] == (0 if starts else 1))][0]


def test_changes_are_applied_in_order():
    content = torch.arange(12.0).view(4, 3)
    other = -torch.ones(4, 3)
    assert torch.equal(Change().of(content), content)
    assert torch.equal(Change(blend_with=other, blend=1.0).of(content), other)
    assert torch.equal(Change(emptied=(1, 3)).of(content)[[1, 3]], torch.zeros(2, 3))
    assert torch.equal(Change(swapped=(0, 2)).of(content), content[[2, 1, 0, 3]])
    noisy = Change(noise=0.5).of(content)
    assert torch.allclose((noisy - content).norm(dim=1), 0.5 * content.norm(dim=1))
    assert torch.equal(noisy, Change(noise=0.5).of(content))
    assert not torch.equal(noisy, Change(noise=0.5, seed=1).of(content))
    assert torch.equal(content, torch.arange(12.0).view(4, 3)), "the stored content never changes"
    few = Change(blend_with=torch.ones(2, 3), blend=1.0, emptied=(7,), swapped=(0, 9))
    assert torch.equal(few.of(content), content), "what another size of content cannot have is left out"


def test_points_say_what_is_stored(explorer, example):
    """Every content, then every start, with its own texts, steps to exact and decode, and a place in the plane."""
    table, stored = explorer.points.table, {record["problem"]: record for record in example.records(2)}
    assert len(table) == 2 * len(stored) and table["set"].tolist() == [0] * len(stored) + [1] * len(stored)
    for index, row in table.iterrows():
        record = stored[row["problem"]]
        assert [row["question"], row["answer"]] == [view["target_text"] for view in record["views"]]
        assert row["topic"] == example.pairs[record["pair"]].topic
        content = explorer.contents[index]
        if row["set"] == 1:
            assert row["steps"] == record["steps_to_exact"] and row["loss"] == record["loss"]
            assert torch.equal(content, example.content(record))
        else:
            assert np.isnan(row["steps"]) and np.isnan(row["loss"])
            assert torch.equal(content, example.start(example.solution(record)).cpu())
    assert table[["x", "y"]].min().tolist() == [0, 0] and table[["x", "y"]].max().tolist() == [1, 1]


def test_neighbors_are_the_nearest_by_cosine(explorer):
    vectors = explorer.points.features
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    sets = explorer.points.table["set"].to_numpy()
    for index, near in enumerate(explorer.points.neighbors):
        others = [other for other in np.flatnonzero(sets == sets[index]) if other != index]
        nearest = sorted(others, key=lambda other: -units[index] @ units[other])[:5]
        assert [other for other, _ in near] == nearest
        assert [cosine for _, cosine in near] == pytest.approx([units[index] @ units[o] for o in nearest], abs=1e-3)


def test_decodes_are_those_that_were_stored(explorer, example):
    """What the page has without a kernel, and what a kernel answers when nothing is changed, is what was written."""
    for index, row in enumerate(explorer.data["points"]):
        views = row[-1]
        if explorer.points.table["set"][index] == 0:
            assert views is None
            continue
        record = explorer.records[index]
        assert [view["exact"] for view in views] == [view["reconstructed"] for view in record["views"]]
        assert [len(view["tokens"]) for view in views] == [len(view["decoded_ids"]) for view in record["views"]]
        assert all(0 <= p <= 1 for view in views for _, p in view["tokens"])
        for now, ahead in zip(explorer.decode(index, Change())[1], views, strict=True):
            (texts, ps), (same, near) = (zip(*view.pop("tokens"), strict=True) for view in (now, dict(ahead)))
            assert texts == same and ps == pytest.approx(near, abs=0.01)
            assert now == {name: value for name, value in ahead.items() if name != "tokens"}


def test_every_control_changes_what_is_read(example, tiny64):
    explorer = Explorer(Run(example.folder, tiny64), starts=True)
    names = [record["problem"] for record in explorer.records[-2:]]
    one, other = (point_of(explorer, name) for name in names)
    content, written = explorer.decode(one, Change())
    noisy, disturbed = explorer.decode(one, explorer.change({**NOTHING, "noise": 2.0}))
    assert not torch.equal(content, noisy) and disturbed != written
    emptied, _ = explorer.decode(one, explorer.change({**NOTHING, "emptied": [0, 2]}))
    assert emptied[[0, 2]].abs().sum() == 0 and emptied[1].abs().sum() > 0
    swapped, _ = explorer.decode(one, explorer.change({**NOTHING, "swapped": [0, 7]}))
    assert torch.equal(swapped[0], content[7])
    blended, views = explorer.decode(one, explorer.change({**NOTHING, "blend": 1.0, "other": names[1]}))
    assert torch.equal(blended, explorer.contents[other])
    for view, own in zip(views, explorer.decode(other, Change())[1], strict=True):
        texts, chances = zip(*view["tokens"], strict=True)
        same, near = zip(*own["tokens"], strict=True)
        length = min(len(texts), len(same))  # either is cut at what its own target needs
        assert texts[:length] == same[:length] and chances[:length] == pytest.approx(near[:length], rel=1e-6)
    assert explorer.change({**NOTHING, "blend": 1.0, "other": "nobody"}) == Change(blend=1.0)


def test_the_kernel_answers_what_the_page_asks(explorer, monkeypatch):
    answers = []
    monkeypatch.setattr(explorer._wire, "send", answers.append)
    start = point_of(explorer, explorer.records[0]["problem"], starts=True)
    explorer.hear({"ask": 7, "point": int(start), "change": NOTHING})
    explorer.hear({"ask": 8, "point": 10**6, "change": NOTHING})
    (answer,) = answers
    assert answer["ask"] == 7 and not all(view["exact"] for view in answer["views"]), "a start writes something else"
    assert len(answer["slots"]) == 8 and json.dumps(answer)


def test_a_generator_that_is_missing_is_told_to_the_page(explorer, monkeypatch):
    """Else the page would wait for ever."""
    answers = []
    monkeypatch.setattr(explorer._wire, "send", answers.append)

    def gone(*_):
        raise InputError("the weights are other ones")

    monkeypatch.setattr("dcm_helpers.explore.explorer.problem_of", gone)
    explorer.hear({"ask": 1, "point": len(explorer.contents) - 1, "change": NOTHING})
    assert [answer["error"] for answer in answers] == ["the weights are other ones"]


def test_the_output_survives_without_scripts_and_texts_stay_texts(explorer, example, monkeypatch):
    """One HTML form, no widget; a picture and the first decode stand in it; a hostile text ends no script."""
    page = explorer.page()
    assert page.index("<img") < page.index("<script>") and "exactly the target" in page[: page.index("<script>")]
    assert set(explorer._repr_mimebundle_()) <= {"text/html", "text/plain", "image/png"}
    hostile = "</script><img src=x onerror=alert(1)> $5 or $6"
    row = [hostile if isinstance(value, str) else value for value in explorer.data["points"][0]]
    monkeypatch.setitem(explorer.data, "points", [row, *explorer.data["points"][1:]])
    assert "<img src=x" not in explorer.page() and explorer.page().count("</script>") == 1
    fields = {field["key"] for field in explorer.data["fields"]}
    assert {"topic", "type", "steps", "loss", "setName"} <= fields


def test_several_runs_lie_in_one_plane(example, tmp_path, monkeypatch):
    """Runs with other slots are compared by their mean slot; side by side, or by another Generator, they are not."""
    monkeypatch.delenv("DCM_RUN", raising=False)
    smaller = open_run(stages="2", model="tiny", num_examples=6, K=4, results=tmp_path)
    both = Points(clouds_of([example, smaller], starts=False))
    assert both.table["K"].tolist() == [8] * 6 + [4] * 6 and both.features.shape[1] == example.generator.width
    assert {cloud.name for cloud in both.clouds} == {example.name, smaller.name}
    with pytest.raises(InputError, match="8 slots cannot lie side by side"):
        _ = Points(clouds_of([example, smaller], starts=False), "flattened")
    manifest = smaller.folder.read_json("run.json")
    manifest["generator"]["fingerprint"] = "other"
    smaller.folder.write_json("run.json", manifest)
    with pytest.raises(InputError, match="different Generators"):
        clouds_of([example, Run(smaller.folder)], starts=False)


def test_positions_are_kept_with_the_run(example, monkeypatch):
    places, method = Points(clouds_of([example], starts=False)).places
    monkeypatch.setattr("dcm_helpers.explore.points.plane", lambda _: pytest.fail("computed again"))
    again, same_method = Points(clouds_of([example], starts=False)).places
    assert (again == places).all() and same_method == method
    files = list((example.folder.path / "shown").glob("plane-*.json"))
    assert files and all(re.search(r'"method": "(UMAP|PCA)"', path.read_text()) for path in files)


def test_an_explorer_needs_solutions():
    with pytest.raises(InputError, match="no run to explore"):
        Explorer()


def test_a_run_that_cannot_be_written_is_explored_all_the_same(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("dcm_helpers.explore.kept.write_safely", full)
    assert kept(tmp_path, "plane", b"bytes", lambda: {"value": float("nan")}) == {"value": None}
