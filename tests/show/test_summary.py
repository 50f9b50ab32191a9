"""What a run says as text: the pair that it shows, and what a terminal must not be told."""

import json
import shutil

import pytest

from dcm_helpers.errors import InputError
from dcm_helpers.show import run_summary
from dcm_helpers.store import RunFolder


@pytest.fixture
def copied(example, tmp_path):
    """A copy of the example run."""
    shutil.copytree(example.folder.path, tmp_path / "run", ignore=shutil.ignore_patterns(".lock"))
    return RunFolder(tmp_path / "run")


def shown(folder):
    """The lines of the decoded pair."""
    parts = [part for part in run_summary(folder).split("\n\n") if part.startswith("Pair ")]
    return parts[0].splitlines() if parts else []


def rewrite(folder, stage, **changes):
    """Change the views of a stage's records."""
    path = folder.path / f"stage{stage}.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        for view in record["views"]:
            view.update(changes)
        if "outcome" in record and not all(view["reconstructed"] for view in record["views"]):
            record["outcome"] = "fail"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_one_pair_is_shown_as_wanted_and_as_written(copied, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    first = copied.records(3)[0]
    head, *lines = shown(copied)
    assert head == f"Pair {first['pair']}, as an example, in stage 3" and len(lines) == 4
    for view, (wanted, written) in zip(first["views"], (lines[:2], lines[2:]), strict=True):
        assert wanted.split() == [f"{view['kind']},", "wanted", *view["target_text"].split()]
        assert written.split() == [f"{view['kind']},", "written", "exactly", *view["decoded_text"].split()]


def test_stage_2_is_shown_before_there_is_a_stage_3(copied):
    (copied.path / "stage3.jsonl").unlink()
    assert shown(copied)[0].endswith("as an example, in stage 2")
    (copied.path / "stage2.jsonl").unlink()
    assert not shown(copied)


def test_texts_are_one_line_that_does_nothing_to_a_terminal(copied, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    rewrite(copied, 3, reconstructed=False, target_text="one\ntwo", decoded_text="\x1b[31mred\u202e\r" + "long " * 50)
    lines = shown(copied)
    assert len(lines) == 5 and max(map(len, lines)) <= 80
    assert "one\\ntwo" in lines[1] and "written otherwise" in lines[2]
    assert "\\x1b[31mred\\u202e\\rlong" in lines[2] and lines[2].endswith("...")


def test_remedies_are_named_where_there_are_some(copied):
    assert "Terms" not in run_summary(copied) and "Parameterization" not in run_summary(copied)
    manifest = copied.manifest
    manifest["identity"]["optimizer"] |= {"terms": {"semantic": 0.3}, "token_distance": 0.01, "hold_norm": True}
    (copied.path / "run.json").write_text(json.dumps(manifest))
    told = [each.split() for each in run_summary(RunFolder.read(copied.path)).splitlines()]
    assert ["Terms", "token_distance=0.01,", "semantic=0.3"] in told and ["Parameterization", "held_norm"] in told


def test_a_setting_of_a_later_version_is_named(copied):
    manifest = copied.manifest
    manifest["identity"]["optimizer"]["warp"] = 9
    (copied.path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="settings that this version lacks: warp"):
        run_summary(RunFolder.read(copied.path))


def test_speed_is_steps_to_exact(copied):
    lines = [line.split("  ")[1] for line in run_summary(copied).splitlines() if "  " in line]
    assert lines.count("steps to exact") == lines.count("all steps of the successful restart") == 2


def test_stage_3_with_nothing_to_decode_says_so(copied, monkeypatch):
    rewrite(copied, 2)
    records = [json.dumps({**record, "converged": False}) + "\n" for record in copied.records(2)]
    (copied.path / "stage2.jsonl").write_text("".join(records))
    (copied.path / "stage3.jsonl").unlink()
    assert "nothing to decode                       no pair converged" in run_summary(copied)
