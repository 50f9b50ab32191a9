"""A run read back: what is stored is what is measured again, whoever wrote it and when."""

import json
import pickle
import shutil
import subprocess
import sys

import pytest
from earlier import as_earlier_versions_wrote

from dcm_helpers.config import PROJECT
from dcm_helpers.errors import InputError
from dcm_helpers.look import losses_at, reconstructed_from
from dcm_helpers.runs import Run, open_run
from dcm_helpers.runs.places import stored_place, typed_place
from dcm_helpers.store import RunFolder


def test_an_example_run_is_computed_once(example, monkeypatch):
    folder = example.folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.path.glob("content-*")}
    again = open_run(stages="2,3", model="tiny", num_examples=6, results=folder.path.parent)
    assert again.folder.path == folder.path
    assert {path.name: path.stat().st_mtime_ns for path in folder.path.glob("content-*")} == before
    assert open_run(folder.path, "2", model="other").folder.path == folder.path
    monkeypatch.setenv("DCM_RUN", str(folder.path))
    assert open_run().folder.path == folder.path
    with pytest.raises(InputError, match="no run folder"):
        open_run(folder.path / "nothing")


def test_a_run_without_a_stage_that_is_read_says_so(example, tmp_path):
    shutil.copytree(example.folder.path, tmp_path / "run", ignore=shutil.ignore_patterns("stage1.jsonl"))
    with pytest.raises(InputError, match="has nothing of stage 1, which is read here; run it with --stage 1, too"):
        open_run(tmp_path / "run", "1")


@pytest.mark.parametrize("stages", ["x", "4", "2,", "one"])
def test_stages_that_do_not_exist_are_refused(example, stages):
    with pytest.raises(InputError, match=f"stage is {stages!r}"):
        open_run(example.folder.path, stages)


def test_a_run_opens_with_whatever_it_has_and_travels(example):
    assert len(open_run(example.folder.path, 2).records(2)) == 6
    again = pickle.loads(pickle.dumps(open_run(example.folder.path)))
    assert repr(again) == f"Run {example.name}: 12 of stage 1, 6 of stage 2, 6 of stage 3"
    assert len(again.tables.texts()) == 6


def test_paths_typed_at_the_root_are_found_from_a_notebook(example, tmp_path, monkeypatch):
    """A kernel works in the notebook's folder; a run is named, and names its own files, from the project's root."""
    monkeypatch.chdir(tmp_path)
    assert typed_place("data/pairs.jsonl") == str(PROJECT / "data" / "pairs.jsonl")
    path = str(example.folder.path)
    assert typed_place("tiny") == "tiny" and typed_place(path) == path
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pairs.jsonl").touch()
    assert typed_place("data/pairs.jsonl") == "data/pairs.jsonl", "what is found from here comes first"
    # but a run's own file is not what lies here under its name
    assert stored_place("data/pairs.jsonl") == str(PROJECT / "data" / "pairs.jsonl")


def test_solutions_are_what_was_stored(example):
    """A stored content, measured again in its rebuilt problem, has its stored loss, and decodes to what was stored."""
    found = example.solutions
    assert len(found) == 6
    for each in found:
        pair = example.pairs[each.problem.pair]
        assert [view.target_text for view in each.problem.views] == [pair.question, pair.answer]
        assert (each.problem.view("question"), each.problem.view("answer")) == each.problem.views
        measured = losses_at(example.generator, each.problem, each.content[None])
        assert measured["loss"].item() == pytest.approx(each.record["loss"], rel=1e-3)
    right = reconstructed_from(example.generator, [each.problem for each in found], example.contents)
    assert right == [each.record["reconstructed"] for each in found]


def test_the_start_is_the_one_optimization_began_from(example):
    """Its loss is the first point of the stored curve."""
    for each, start in zip(example.solutions, example.starts, strict=True):
        first = example.folder.histories()[(2, each.problem.id)]
        assert first["steps"][0] == 0, "the case needs curves that are not thinned"
        measured = losses_at(example.generator, each.problem, start[None])["loss"].item()
        assert measured == pytest.approx(sum(first["losses"][0]), rel=1e-3)


def test_a_changed_generator_is_refused(example):
    folder = example.folder
    manifest = folder.manifest
    changed = {**manifest, "generator": {**manifest["generator"], "fingerprint": "other"}}
    folder.write_json("run.json", changed)
    try:
        with pytest.raises(InputError, match="other weights"):
            Run(folder).load_generator(device="cpu")
    finally:
        folder.write_json("run.json", manifest)


def test_records_of_earlier_versions_read_as_todays(example, tmp_path):
    shutil.copytree(example.folder.path, tmp_path / "run")
    as_earlier_versions_wrote(tmp_path / "run")
    earlier = RunFolder.read(tmp_path / "run")
    for stage in (1, 2, 3):
        assert earlier.records(stage) == example.records(stage)


def test_an_earlier_versions_near_tie_is_what_the_decoder_wrote(example, tmp_path):
    """Exact by the decoder and not by teacher forcing: then ``confirmed``, now reconstructed."""
    shutil.copytree(example.folder.path, tmp_path / "run")
    path = tmp_path / "run" / "stage2.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    tied = next(record for record in records if record["reconstructed"])
    tied["views"][0]["teacher_forced_exact"] = False
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    as_earlier_versions_wrote(tmp_path / "run")
    stored = next(
        record for record in map(json.loads, path.read_text().splitlines()) if record["problem"] == tied["problem"]
    )
    assert stored["confirmed"] and not stored["reconstructed"] and not stored["views"][0]["reconstructed"]
    (read,) = [each for each in RunFolder.read(tmp_path / "run").records(2) if each["problem"] == tied["problem"]]
    assert read == tied and read["reconstructed"] and read["views"][0]["reconstructed"]


def test_the_committed_study_tells_restarts_from_first_solutions():
    folder = RunFolder.read(PROJECT / "results" / "reference" / "far")
    restarts = [record["problem_restart"] for record in folder.records(2)]
    assert sorted(restarts) == [0] * 16 + [1] * 16


def test_looking_at_records_needs_nothing_that_optimizes(example):
    """Tables are there without torch; nothing of the loop is loaded."""
    code = f"""
import sys
import dcm_helpers as dcm
run = dcm.open_run({str(example.folder.path)!r}, "1,2,3")
assert len(run.tables.problems(2)) == len(run.tables.texts()) == 6 and len(run.tables.validation()) == 12
print([name for name in sys.modules if name in ("torch", "transformers") or name.startswith("dcm_helpers.optimize")])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert found.stdout.strip() == "[]"
