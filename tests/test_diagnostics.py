"""Solutions read back from disk, and what is measured on them: lines, planes, nearest tokens, neighbors, positions."""

import numpy as np
import pandas as pd
import pytest
import torch

from dcm_helpers import manifold
from dcm_helpers.anatomy import attention_matrix, row_positions
from dcm_helpers.clustering import features, neighbor_agreement, plane
from dcm_helpers.config import PROJECT, InputError
from dcm_helpers.landscape import along_line, barrier, losses_at, over_plane, pairwise
from dcm_helpers.manifold import nearest_of_tokens, nearest_tokens, snapped, turned
from dcm_helpers.problems import mismatched, restarts_of, with_modes
from dcm_helpers.solutions import (
    contents_of,
    from_project,
    generator_of,
    open_run,
    pairs_of,
    reconstructed_from,
    solutions,
    start_of,
    written_tokens,
)
from dcm_helpers.stm import initial_content, token_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An example run of six pairs on the tiny Generator."""
    return open_run("", "tiny", 6, 8, stages="2,3", results=str(tmp_path_factory.mktemp("results")))


@pytest.fixture(scope="module")
def generator(folder):
    return generator_of(folder, device="cpu")


@pytest.fixture(scope="module")
def found(folder, generator):
    return solutions(folder, generator)


def test_an_example_run_is_computed_once(folder):
    before = {path.name: path.stat().st_mtime_ns for path in folder.path.glob("content-*")}
    again = open_run("", "tiny", 6, 8, stages="2,3", results=str(folder.path.parent))
    assert again.path == folder.path
    assert {path.name: path.stat().st_mtime_ns for path in folder.path.glob("content-*")} == before
    assert open_run(str(folder.path), "other", 1, 1, stages="2").path == folder.path
    with pytest.raises(InputError, match="has nothing of stage 1, which is read here; run it with --stage 1, too"):
        open_run(str(folder.path), "tiny", 6, 8, stages="1")
    with pytest.raises(InputError, match="no run folder"):
        open_run(str(folder.path / "nothing"), "tiny", 6, 8, stages="2")


def test_paths_typed_at_the_root_are_found_from_a_notebook(folder, tmp_path, monkeypatch):
    """A kernel works in the notebook's folder; a run is named, and names its own files, from the project's root."""
    monkeypatch.chdir(tmp_path)
    assert from_project("data/pairs.jsonl") == str(PROJECT / "data" / "pairs.jsonl")
    assert from_project("tiny") == "tiny" and from_project(str(folder.path)) == str(folder.path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pairs.jsonl").touch()
    assert from_project("data/pairs.jsonl") == "data/pairs.jsonl", "what is found from here comes first"


def test_solutions_are_what_was_stored(folder, generator, found):
    """A stored content, measured again in its rebuilt problem, has its stored loss, and decodes to what was stored."""
    assert len(found) == 6
    pairs = pairs_of(folder)
    for each in found:
        assert [view.target_text for view in each.problem.views] == [
            pairs[each.problem.pair].question,
            pairs[each.problem.pair].answer,
        ]
        measured = losses_at(generator, each.problem, each.content[None])
        assert measured["loss"].item() == pytest.approx(each.record["loss"], rel=1e-3)
    right = reconstructed_from(generator, found, contents_of(found, generator))
    assert right == [each.record["reconstructed"] for each in found]


def test_the_start_is_the_one_optimization_began_from(folder, generator, found):
    """Its loss is the first point of the stored curve."""
    for each in found:
        start = start_of(folder, generator, each)
        first = folder.histories()[(2, each.problem.id)]
        assert first["steps"][0] == 0, "the case needs curves that are not thinned"
        assert losses_at(generator, each.problem, start[None])["loss"].item() == pytest.approx(
            sum(first["losses"][0]), rel=1e-3
        )


def test_a_changed_generator_is_refused(folder):
    manifest = folder.manifest
    changed = {**manifest, "generator": {**manifest["generator"], "fingerprint": "other"}}
    folder.write_json("run.json", changed)
    try:
        with pytest.raises(InputError, match="other weights"):
            generator_of(folder, device="cpu")
    finally:
        folder.write_json("run.json", manifest)


def test_written_tokens_spell_the_decoded_text(generator, found):
    each = found[0]
    tokens = written_tokens(generator, each.problem, each.content)
    for view in each.record["views"]:
        of_view = tokens[tokens["view"] == view["mode"]]
        assert list(of_view["position"]) == list(range(1, len(view["decoded_ids"]) + 1))
        spelled = "".join(of_view["token"]).replace("␣", " ").replace("⏎", "")
        assert spelled == view["decoded_text"]
        assert of_view["probability"].min() == pytest.approx(view["min_p"], rel=1e-2)


def test_lines_and_planes_pass_through_their_contents(generator, found):
    one, two = found[0].content, found[1].content
    problem = found[0].problem
    line = along_line(generator, problem, one, two, [0.0, 0.5, 1.0])
    ends = losses_at(generator, problem, torch.stack([one, two]))
    assert line["loss"].iloc[[0, 2]].tolist() == pytest.approx(ends["loss"].tolist(), rel=1e-4)
    assert line["loss"].iloc[2] > line["loss"].iloc[0], "another pair's content serves worse"
    x, y = turned(one, "x"), turned(one, "y")
    around = over_plane(generator, problem, one, x, y, [-0.5, 0.0, 0.5])
    center = around[(around["x"] == 0) & (around["y"] == 0)]
    assert center["loss"].item() == pytest.approx(ends["loss"].iloc[0], rel=1e-4)
    corner = around[(around["x"] == 0.5) & (around["y"] == -0.5)]
    direct = losses_at(generator, problem, (one + 0.5 * x - 0.5 * y)[None])
    assert corner["loss"].item() == pytest.approx(direct["loss"].item(), rel=1e-4)
    assert torch.allclose(x.norm(dim=1), one.norm(dim=1)), "filter normalization"
    assert torch.equal(x, turned(one, "x")) and not torch.equal(x, y)


def test_barrier_is_the_rise_above_the_chord():
    line = pd.DataFrame({"t": [0, 0.25, 0.5, 0.75, 1], "loss": [1.0, 1.5, 5.0, 2.5, 3.0]})
    assert barrier(line) == pytest.approx(3.0)
    assert barrier(line.assign(loss=[1.0, 1.5, 2.0, 2.5, 3.0])) == pytest.approx(0.0)


def test_pairwise_distances_and_cosines():
    contents = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]], [[3.0, 0.0]]])
    distances, cosines = pairwise(contents)
    assert np.allclose(distances, [[0, 5**0.5, 2], [5**0.5, 0, 13**0.5], [2, 13**0.5, 0]])
    assert np.allclose(cosines, [[1, 0, 1], [0, 1, 0], [1, 0, 1]])


def test_nearest_tokens_equal_brute_force(generator, monkeypatch):
    """In pieces of the vocabulary that do not divide it evenly."""
    monkeypatch.setattr(manifold, "TOKENS_AT_ONCE", 100)
    size, special = generator.ordinary_ids
    ids = [token for token in range(size) if token not in special]
    table = generator.embed(torch.tensor(ids)).double()
    vectors = torch.randn(20, generator.width, generator=torch.Generator().manual_seed(0)) * table.std()
    near = nearest_tokens(generator, vectors)
    distances = (vectors.double()[:, None] - table).norm(dim=2)
    assert near.distance.tolist() == pytest.approx(distances.min(1).values.tolist(), rel=1e-5)
    assert near.token.tolist() == [ids[place] for place in distances.argmin(1)]
    cosines = torch.nn.functional.cosine_similarity(vectors.double()[:, None], table, dim=2)
    assert near.cosine.tolist() == pytest.approx(cosines.max(1).values.tolist(), rel=1e-4)
    assert near.cosine_token.tolist() == [ids[place] for place in cosines.argmax(1)]


def test_tokens_are_compared_with_other_tokens(generator):
    rows = token_rows(generator, 16, torch.Generator().manual_seed(1))
    assert nearest_tokens(generator, rows).distance.max() < 1e-5
    others = nearest_of_tokens(generator, sample=16)
    assert others.distance.min() > 1e-3 and others.cosine.max() < 0.9999


def test_snapping_gives_token_embeddings(generator):
    start = token_rows(generator, 16, torch.Generator().manual_seed(1)).view(2, 8, -1)
    for by in ("distance", "direction"):
        assert torch.allclose(snapped(generator, 1.001 * start, by), start)


def test_neighbors_of_one_label_are_found_and_chance_is_not():
    random = np.random.default_rng(0)
    labels = ["a", "b", "c"] * 10
    centers = {"a": 0.0, "b": 5.0, "c": 10.0}
    grouped = np.array([[centers[label], 0.0] for label in labels]) + random.normal(size=(30, 2))
    assert neighbor_agreement(grouped, labels)["agreement"] > 0.8
    assert neighbor_agreement(grouped, labels)["p"] < 0.01
    chance = [neighbor_agreement(random.normal(size=(30, 2)), labels, seed=seed)["p"] for seed in range(20)]
    assert 0.2 < np.mean(chance) < 0.8, "p-values of unrelated points spread evenly"
    assert neighbor_agreement(grouped[:1], labels[:1]) == {"agreement": 0.0, "chance": 0.0, "p": 1.0}


def test_features_are_standardized_and_small_sets_are_drawn_by_principal_components():
    contents = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))
    flat, mean = features(contents), features(contents, "mean slot")
    assert flat.shape == (4, 15) and mean.shape == (4, 5)
    assert np.allclose(flat.mean(0), 0) and np.allclose(flat.std(0), 1)
    for count in (1, 2, 3, 4):
        places, method = plane(flat[:count])
        assert places.shape == (count, 2) and method == "PCA" and np.isfinite(places).all()
    with pytest.raises(InputError, match="no contents"):
        plane(flat[:0])


def test_every_target_token_is_scored_at_the_position_before_it(tiny, problems):
    problem, K = problems[0], 8
    table = row_positions(tiny, problem, K)
    for index, view in enumerate(problem.views):
        row = table[table["view"] == view.mode].reset_index()
        scored = row[row["predicts"] != ""]
        assert len(scored) == len(view.target_ids) and scored.iloc[-1]["predicts"] == "⏎"
        assert scored.iloc[0]["token"] == f"c{K}"
        read = row[row["part"] == "target"]["token"].tolist()
        assert read == scored["predicts"].tolist()[:-1], "what is predicted is read at the next position"
        mask = attention_matrix(tiny, problem, K, index).to_numpy()
        assert (mask.sum(1) == row["attended"] * row["attended"].cumsum()).all()
        assert (np.triu(mask, 1) == 0).all()


def test_mismatched_problems_hold_the_same_texts(tiny, problems):
    exchanged = mismatched(problems)
    assert [each.views[0] for each in exchanged] == [each.views[0] for each in problems]
    assert all(one.views[1] != other.views[1] for one, other in zip(exchanged, problems, strict=True))
    assert {each.views[1] for each in exchanged} == {each.views[1] for each in problems}
    starts = [initial_content(tiny, each, 4, "tokens", 0, 0) for each in (exchanged[0], problems[0])]
    assert torch.equal(*starts), "equal starts make the comparison paired"
    with pytest.raises(InputError, match="at least 2"):
        mismatched(problems[:1])


def test_modes_and_restarts_of_a_problem(tiny, problems):
    swapped = with_modes(tiny, problems[0], ("A", None))
    assert [view.mode_ids for view in swapped.views] == [(tiny.mode_id("A"),), ()]
    assert [view.target_ids for view in swapped.views] == [view.target_ids for view in problems[0].views]
    again = restarts_of(problems[0], 3)
    assert len({each.id for each in again}) == 3 and all(each.views == problems[0].views for each in again)
