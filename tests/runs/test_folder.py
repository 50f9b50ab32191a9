"""Run folders: what is finished survives crashes, torn lines and reruns; other configurations are kept out."""

import json
import os

import pytest
import torch

from dcm_helpers.config import InputError
from dcm_helpers.files import write_safely
from dcm_helpers.runs import RunFolder


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.create(tmp_path / "run", {"K": 8, "optimizer": {"lr": 1.0}}, {"sessions": []})
    yield folder
    folder.close()


def reopened(folder, **changes):
    folder.close()
    return RunFolder.create(folder.path, {"K": 8, "optimizer": {"lr": 1.0}, **changes}, {"sessions": []})


def record(problem, **fields):
    return {"problem": problem, "kind": "joint", "reconstructed": True, "loss": 0.5, **fields}


def test_what_is_written_is_read_back(folder):
    content = torch.randn(8, 4)
    folder.append(2, record("a"), content, {"steps": [0, 1], "losses": [[1.0], [0.5]]})
    folder.append(2, record("b", loss=float("nan")), content + 1)
    first, second = RunFolder.read(folder.path).records(2)
    assert torch.equal(folder.content(first), content) and torch.equal(folder.content(second), content + 1)
    assert second["loss"] is None, "JSON has no NaN"
    assert folder.histories()[2, "a"]["steps"] == [0, 1]


def test_torn_last_line_is_dropped_and_redone(folder):
    for problem in "ab":
        folder.append(2, record(problem), torch.zeros(8, 4))
    path = folder.path / "stage2.jsonl"
    os.truncate(path, path.stat().st_size - 9)
    assert [entry["problem"] for entry in folder.records(2)] == ["a"]
    again = reopened(folder)
    again.append(2, record("b"), torch.ones(8, 4))
    assert [entry["problem"] for entry in again.records(2)] == ["a", "b"]
    assert torch.equal(again.content(again.records(2)[1]), torch.ones(8, 4)), "an old content must not be overwritten"
    again.close()


def test_damage_elsewhere_is_reported_with_its_line(folder):
    (folder.path / "stage2.jsonl").write_text('{"problem": "a", "kind": "joint"}\n{"prob\n{"problem": "c"}\n')
    with pytest.raises(InputError, match=r"stage2\.jsonl, line 2 is damaged; delete that line"):
        folder.records(2)


def test_record_follows_its_content(folder, monkeypatch):
    """A full disk while the content is written: no record, nothing half-written, earlier records untouched."""
    folder.append(2, record("a"), torch.zeros(8, 4))

    def full_disk(source, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("dcm_helpers.files.os.replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        folder.append(2, record("b"), torch.zeros(8, 4))
    assert [entry["problem"] for entry in folder.records(2)] == ["a"]
    assert sorted(path.name for path in folder.path.glob("content*")) == ["content-stage2-00001.safetensors"]


def test_other_settings_are_kept_out(folder):
    with pytest.raises(InputError, match=r"other settings.*\n.*\n?.*optimizer\.lr: 1\.0 there, 0\.1 now"):
        reopened(folder, optimizer={"lr": 0.1})


def test_a_refused_opening_leaves_the_folder_free(folder):
    with pytest.raises(InputError, match="other settings"):
        reopened(folder, K=9)
    reopened(folder).close()


def test_a_line_that_does_not_fit_is_taken_back(folder, monkeypatch):
    """The disk fills up while a record is appended: the next one must not be glued onto half a line."""
    folder.append(2, record("a"))
    with monkeypatch.context() as patch:
        patch.setattr("dcm_helpers.runs.folder.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space left"):
            folder.append(2, record("b"))
    folder.append(2, record("c"))
    assert [entry["problem"] for entry in folder.records(2)] == ["a", "c"]


def test_a_problem_done_again_has_one_record(folder):
    for loss in (0.5, 0.25):
        folder.append(2, record("a", loss=loss))
    assert [entry["loss"] for entry in folder.records(2)] == [0.25]


def test_no_resume_refuses_an_existing_folder(folder):
    folder.close()
    with pytest.raises(InputError, match="--run-name"):
        RunFolder.create(folder.path, {}, {}, resume=False)


def test_two_writers_are_refused(folder):
    with pytest.raises(InputError, match="another process"):
        RunFolder.create(folder.path, {"K": 8, "optimizer": {"lr": 1.0}}, {})


def test_content_name_cannot_lead_out_of_the_folder(folder, tmp_path):
    folder.append(2, record("a"), torch.zeros(8, 4))
    stolen = tmp_path / "other.safetensors"
    stolen.write_bytes((folder.path / "content-stage2-00001.safetensors").read_bytes())
    with pytest.raises(InputError, match="is missing"):
        folder.content(record("a", content={"file": "../other.safetensors", "key": "a"}))


def test_folder_without_a_run(tmp_path):
    with pytest.raises(InputError, match="no run folder"):
        RunFolder.read(tmp_path)


def test_json_files_are_replaced_whole(folder):
    folder.write_json("summary.json", {"rate": float("inf"), "n": (1, 2)})
    assert json.loads((folder.path / "summary.json").read_text()) == {"rate": None, "n": [1, 2]}


def test_a_packed_stage_reads_as_before_and_is_packed_once(folder):
    contents = {name: torch.randn(8, 4) for name in "abc"}
    for name, content in contents.items():
        curve = {"steps": list(range(101)), "losses": [[1 / (1 + step)] for step in range(101)]}
        folder.append(2, record(name), content, curve)
    before = folder.records(2)
    folder.append(3, {"problem": "a", "kind": "joint", "content": before[0]["content"]})
    folder.pack(2, torch.float16, points=5)
    assert folder.records(3)[0]["content"] == folder.records(2)[0]["content"], "stage 3 speaks of the same content"
    assert sorted(path.name for path in folder.path.glob("content*")) == ["contents-stage2.safetensors"]
    for old, new in zip(before, folder.records(2), strict=True):
        assert {**new, "content": None} == {**old, "content": None}
        assert torch.equal(folder.content(new), contents[new["problem"]].half())
        assert folder.histories()[2, new["problem"]]["steps"] == [0, 25, 50, 75, 100]
    stamps = {path: path.stat().st_mtime_ns for path in folder.path.iterdir()}
    folder.pack(2, torch.float16, points=5)
    assert {path: path.stat().st_mtime_ns for path in folder.path.iterdir()} == stamps


def test_a_stage_whose_packing_is_interrupted_reads_as_before(folder, monkeypatch):
    """At each of the files that are written, and then packed after all."""
    contents = {name: torch.randn(8, 4) for name in "ab"}
    for name, content in contents.items():
        folder.append(2, record(name), content, {"steps": [0], "losses": [[1.0]]})
    write = write_safely
    for allowed in range(3):
        calls = []

        def full_disk(path, data, calls=calls, allowed=allowed):
            calls.append(path)
            if len(calls) > allowed:
                raise OSError(28, "No space left on device", str(path))
            write(path, data)

        monkeypatch.setattr("dcm_helpers.runs.folder.write_safely", full_disk)
        with pytest.raises(OSError, match="No space"):
            folder.pack(2, torch.float32, points=2)
        assert all(torch.equal(folder.content(entry), contents[entry["problem"]]) for entry in folder.records(2))
    monkeypatch.setattr("dcm_helpers.runs.folder.write_safely", write)
    folder.pack(2, torch.float32, points=2)
    assert all(torch.equal(folder.content(entry), contents[entry["problem"]]) for entry in folder.records(2))
