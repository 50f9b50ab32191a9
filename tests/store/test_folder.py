"""Run folders: what is finished survives crashes, torn lines and reruns; other configurations are kept out."""

import json
import os
from unittest.mock import Mock

import pytest
import torch
from made_records import decoded, identity, manifest, optimizer, record, view
from safetensors.torch import save

from dcm_helpers.errors import InputError
from dcm_helpers.files import write_safely
from dcm_helpers.store import RunFolder


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.create(tmp_path / "run", identity(), manifest())
    yield folder
    folder.close()


def reopened(folder, **changes):
    folder.close()
    return RunFolder.create(folder.path, identity(**changes), manifest())


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
    folder.append(2, record("a"), torch.zeros(8, 4))
    with open(folder.path / "stage2.jsonl", "a") as file:
        file.write('{"prob\n{"problem": "c"}\n')
    with pytest.raises(InputError, match=r"stage2\.jsonl, line 2 is no JSON .* delete that line"):
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
        reopened(folder, optimizer=optimizer(lr=0.1))


def test_a_refused_opening_leaves_the_folder_free(folder):
    with pytest.raises(InputError, match="other settings"):
        reopened(folder, optimizer=optimizer(K=9))
    reopened(folder).close()


def test_a_line_that_does_not_fit_is_taken_back(folder, monkeypatch):
    """The disk fills up while a record is appended: the next one must not be glued onto half a line."""
    folder.append(2, record("a"), torch.zeros(8, 4))
    with monkeypatch.context() as patch:
        patch.setattr("dcm_helpers.store.folder.os.fsync", Mock(side_effect=OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space left"):
            folder.append(2, record("b"), torch.zeros(8, 4))
    folder.append(2, record("c"), torch.zeros(8, 4))
    assert [entry["problem"] for entry in folder.records(2)] == ["a", "c"]


def test_a_problem_done_again_has_one_record(folder):
    for loss in (0.5, 0.25):
        folder.append(2, record("a", loss=loss), torch.zeros(8, 4))
    assert [entry["loss"] for entry in folder.records(2)] == [0.25]


def test_no_resume_refuses_an_existing_folder(folder):
    folder.close()
    with pytest.raises(InputError, match="--run-name"):
        RunFolder.create(folder.path, identity(), manifest(), resume=False)


def test_two_writers_are_refused(folder):
    with pytest.raises(InputError, match="another process"):
        RunFolder.create(folder.path, identity(), manifest())


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
    folder.append(3, decoded("a", before[0]["content"]))
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

        for module in ("folder", "contents"):
            monkeypatch.setattr(f"dcm_helpers.store.{module}.write_safely", full_disk)
        with pytest.raises(OSError, match="No space"):
            folder.pack(2, torch.float32, points=2)
        assert all(torch.equal(folder.content(entry), contents[entry["problem"]]) for entry in folder.records(2))
    monkeypatch.undo()
    folder.pack(2, torch.float32, points=2)
    assert all(torch.equal(folder.content(entry), contents[entry["problem"]]) for entry in folder.records(2))


def test_a_packing_that_was_killed_before_its_last_file_was_removed_is_finished(folder):
    """Every record names the packed file, and a file of a single content is still there."""
    folder.append(2, record("a"), torch.randn(8, 4), {"steps": [0], "losses": [[1.0]]})
    left = folder.path / "content-stage2-00001.safetensors"
    before = left.read_bytes()
    folder.pack(2, torch.float32, points=2)
    assert folder.packed(2)
    left.write_bytes(before)
    assert not folder.packed(2)
    folder.pack(2, torch.float32, points=2)
    assert folder.packed(2) and not left.exists()


def test_a_copy_under_another_name_is_not_ours(folder):
    """As cloud storage makes them; its name holds no number."""
    folder.append(2, record("a"), torch.zeros(8, 4))
    copy = folder.path / "content-stage2-00001 (conflicted copy).safetensors"
    copy.write_bytes(b"anything")
    again = reopened(folder)
    again.append(2, record("b"), torch.ones(8, 4))
    assert torch.equal(again.content(again.records(2)[1]), torch.ones(8, 4))
    again.pack(2, torch.float32, points=2)
    assert copy.exists() and again.packed(2)
    again.close()


def test_records_without_their_manifest_are_not_taken_over(folder):
    """Otherwise results of one seed would stand under the manifest of another."""
    folder.append(2, record("a"), torch.zeros(8, 4))
    (folder.path / "run.json").unlink()
    with pytest.raises(InputError, match=r"has stage2\.jsonl and no run\.json"):
        reopened(folder, optimizer=optimizer(seed=77))
    assert not (folder.path / "run.json").exists()


def test_the_same_pairs_are_the_same_wherever_their_file_lies(folder):
    folder.close()
    there = {**identity(data={"dataset": "there/p.jsonl", "num_examples": 2, "data_seed": 0}), "data_fingerprint": "d"}
    here = {**identity(data={"dataset": "here/p.jsonl", "num_examples": 2, "data_seed": 0}), "data_fingerprint": "d"}
    path = folder.path.parent / "other"
    RunFolder.create(path, there, manifest()).close()
    RunFolder.create(path, here, manifest()).close()
    with pytest.raises(InputError, match=r"dataset: 'there/p\.jsonl' there, 'here/p\.jsonl' now"):
        RunFolder.create(path, {**here, "data_fingerprint": "e"}, manifest())


@pytest.mark.parametrize(
    "text",
    ["null", "[]", '{"name": "x"}', "[" * 100_000, '{"identity": {}}', "9" * 5000, '"\\ud83d"', "", "{"],
    ids=lambda text: text[:12],
)
def test_a_manifest_that_is_none_is_refused_in_one_line(folder, text):
    folder.close()
    (folder.path / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json") as caught:
        RunFolder.read(folder.path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 800


def test_a_manifest_in_another_encoding_is_refused(folder):
    (folder.path / "run.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="no UTF-8"):
        RunFolder.read(folder.path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("null", "in place of an object"),
        ("[1]", "in place of an object"),
        ("{}", "damaged"),
        ("7", "in place of an object"),
        ({"K": "8"}, "K: Input should be a valid integer, found '8'"),
        ({"K": True}, "K: "),
        ({"reconstructed": "yes"}, "reconstructed: "),
        ({"views": []}, "views: "),
        ({"views": [view(target_ids=[])]}, "views.0.target_ids: "),
        ({"content": {"file": 3, "key": "a"}}, "content.file: "),
        ({"steps": -1}, "steps: "),
        ({"steps": 10**400}, "steps: "),
        ({"stage": 9}, "stage: "),
        ({"stage": 1}, "of stage 1"),
        ({"stop_rule": "exact\nforged line"}, "stop_rule: "),
        ({"pair": "\ud800"}, "half of a character"),
        ({"loss": float("nan")}, "NaN, which is no number"),
        ({"views": [view(min_p=-0.5)]}, "views.0.min_p"),
        ({"views": [view(decoded_ids=[5])]}, "reconstructed where what was written is not the target"),
        ({"reconstructed": False}, "reconstructed where"),
        ({"steps_to_exact": 99}, "behind its last"),
        ({"views": [{**view(), "baselines": {}}]}, "lacks the baselines"),
        ({"views": [{**view(), "baselines": {"random": None}}]}, "lacks the baselines"),
    ],
    ids=str,
)
def test_a_line_of_another_form_is_refused_with_its_place(folder, line, told):
    folder.append(2, record("a"), torch.zeros(8, 4))
    path = folder.path / "stage2.jsonl"
    text = line if isinstance(line, str) else json.dumps({**json.loads(path.read_text()), **line})
    with open(path, "a") as file:
        file.write(text + "\n")
    with pytest.raises(InputError, match=r"stage2\.jsonl, line 2") as caught:
        folder.records(2)
    assert told in str(caught.value) and "delete that line" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (torch.zeros(7, 4), "shape (7, 4)"),
        (torch.zeros(8), "shape (8,)"),
        (torch.zeros(8, 4, dtype=torch.int32), "int32"),
        (torch.full((8, 4), float("nan")), "not finite"),
        (torch.full((8, 4), float("inf")), "not finite"),
        (torch.ones(8, 4), "other numbers"),
        (None, "damaged"),
        (b"", "damaged"),
    ],
    ids=["short", "flat", "integers", "NaN", "infinite", "noise", "cut", "empty"],
)
def test_a_content_that_is_not_what_was_stored_is_refused(folder, stored, told):
    folder.append(2, record("a"), torch.zeros(8, 4))
    path = folder.path / "content-stage2-00001.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5] if stored is None else stored if isinstance(stored, bytes) else save({"a": stored}))
    with pytest.raises(InputError, match=r"content-stage2-00001\.safetensors") as caught:
        folder.content(folder.records(2)[0])
    assert told in str(caught.value) and "redone" in str(caught.value)


def test_links_are_not_written_through(folder, tmp_path):
    """A folder from elsewhere could point its files at others."""
    target = tmp_path / "victim"
    target.write_text("mine")
    (folder.path / "summary.json.partial").symlink_to(target)
    folder.write_json("summary.json", {})
    (folder.path / "stage2.jsonl").symlink_to(target)
    with pytest.raises(OSError):
        folder.append(2, record("a"), torch.zeros(8, 4))
    assert target.read_text() == "mine"


@pytest.mark.parametrize("name", ["stage1.jsonl", "stage2.jsonl", "stage3.jsonl", "history.jsonl", "run.json"])
def test_going_on_changes_nothing_behind_a_link(folder, tmp_path, name):
    """A folder from elsewhere could point its files at others; a torn last line must not be cut off there."""
    folder.close()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).symlink_to(victim)
    with pytest.raises(InputError, match="is a link"):
        RunFolder.create(folder.path, identity(), manifest())
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("name", ["stage2.jsonl", "history.jsonl", "summary.json", "run.json"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_not_waited_for(folder, name, make):
    folder.close()
    (folder.path / name).unlink(missing_ok=True)
    make(folder.path / name)
    with pytest.raises(InputError, match=r"is no file|is no run folder"):
        reader = RunFolder.read(folder.path)
        reader.records(2), reader.histories(), reader.diagnosis()
    with pytest.raises(InputError, match="is no file"):
        RunFolder.create(folder.path, identity(), manifest())


def test_a_decoded_record_agrees_with_itself(folder):
    folder.append(2, record("a"), torch.zeros(8, 4))
    place = folder.records(2)[0]["content"]
    folder.append(3, decoded("a", place, outcome="fail"))
    with pytest.raises(InputError, match="'fail' with 1 of 1 views reconstructed"):
        folder.records(3)
