"""Runs under odd circumstances: files named in several ways, clocks set back, criteria met by the letter alone."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.errors import InputError
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.runs import open_run, prepare, readable_runs
from dcm_helpers.runs.begin import plain
from dcm_helpers.show import next_commands, run_summary
from dcm_helpers.stm import joint_problems
from dcm_helpers.store import RunFolder

QUICK = OptimizerConfig(K=4, num_steps=1, num_restarts=1)


def config(place, dataset="pairs", **changes):
    settings = dict(
        generator=GeneratorConfig(model="tiny", device="cpu", dtype="float32"),
        data=DataConfig(dataset=str(dataset), num_examples=2),
        optimizer=QUICK,
        stage="2,3",
        ignore_gates=True,
        output_dir=str(place),
    )
    return RunConfig(**{**settings, **changes})


def made(config, generator):
    """The folder of a run, made."""
    with prepare(config, ContentOptimizer, generator=generator) as phase:
        phase.run()
    return phase.folder


def a_file(folder, *rows):
    folder.mkdir(exist_ok=True)
    path = folder / "x.jsonl"
    rows = rows or [{"question": "What?", "answer": "that"}, {"question": "Who?", "answer": "her"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_one_file_is_one_file_wherever_it_is_named(tmp_path, monkeypatch, tiny):
    """Typed from its folder's parent, with a dot, absolutely, through a link; opened from elsewhere."""
    path = a_file(tmp_path / "sub")
    (tmp_path / "link.jsonl").symlink_to(path)
    monkeypatch.chdir(tmp_path)
    typed = ["sub/x.jsonl", "./sub/x.jsonl", str(path), "sub/../sub/x.jsonl", "link.jsonl"]
    folders = {made(config("out", name), tiny).path.resolve() for name in typed}
    assert len(folders) == 1
    (folder,) = folders
    assert len(RunFolder.read(folder).records(2)) == 2, "the same run was continued"
    monkeypatch.chdir("/")
    assert sorted(open_run(folder).pairs) == ["line-1", "line-2"]
    (folder / "stage2.jsonl").write_text("")
    assert f"--dataset {path} " in next_commands(RunFolder.read(folder))


def test_a_file_that_was_moved_continues_its_run(tmp_path, tiny):
    for place in ("here", "there"):
        folder = made(config(tmp_path, a_file(tmp_path / place), run_name="run"), tiny)
    assert len(folder.records(2)) == 2
    with pytest.raises(InputError, match="data_fingerprint"):
        made(config(tmp_path, a_file(tmp_path / "other", {"question": "W?", "answer": "x"}), run_name="run"), tiny)


def test_a_clock_that_is_set_back_shortens_nothing(tmp_path, monkeypatch, tiny):
    class SetBack(datetime):
        calls = 0

        @classmethod
        def now(cls, zone=None):
            cls.calls += 1
            return datetime.now(zone) - timedelta(hours=cls.calls)

    monkeypatch.setattr("dcm_helpers.runs.stages.datetime", SetBack)
    (session,) = made(config(tmp_path), tiny).manifest["sessions"]
    assert SetBack.calls >= 1 and 0 <= session["seconds"] < 60
    assert datetime.fromisoformat(session["started"]) < datetime.now(UTC)


def test_a_criterion_met_by_the_letter_is_not_support(tmp_path, tiny):
    """One step as long as the world: nothing is written, and twice the loss of the context as text is easily met."""
    huge = OptimizerConfig(K=4, num_steps=1, num_restarts=1, lr=1e9)
    folder = made(config(tmp_path, optimizer=huge), tiny)
    records = [{**record, "converged": True} for record in folder.records(2)]
    (folder.path / "stage2.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    text = run_summary(folder)
    assert "not supported: 100% converge, by the criterion's lenient clause, but 0% are reconstructed" in text


def test_a_baseline_of_zero_divides_nothing(tmp_path, tiny):
    """As an earlier version stored them for a target of EOS alone."""
    folder = made(config(tmp_path), tiny)
    records = folder.records(2)
    for record in records:
        for view in record["views"]:
            for name in view["baselines"]:
                view["baselines"][name] = {"loss": 0.0, "loss_text": 0.0}
    (folder.path / "stage2.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    assert "loss / random baseline                  -" in run_summary(folder)


def test_records_of_another_run_are_not_counted(tmp_path, tiny):
    folder = made(config(tmp_path, run_name="run"), tiny)
    path = folder.path / "stage2.jsonl"
    stranger = {**folder.records(2)[0], "problem": "nobody/joint"}
    path.write_text(path.read_text() + json.dumps(stranger) + "\n")
    with pytest.raises(InputError, match="3 problems of stage 2 and 2 pairs"):
        run_summary(folder)
    with pytest.raises(InputError, match=r"a result of stage 2 for \['nobody/joint'\]"):
        made(config(tmp_path, run_name="run"), tiny)


def test_what_a_generator_cannot_take_is_left_out_before_anything_runs(tmp_path, tiny):
    rows = [
        {"question": "What?", "answer": "that"},
        {"question": "How long?", "answer": "word " * 2000},
    ]
    path = a_file(tmp_path / "sub", *rows)
    folder = made(config(tmp_path, path, data=DataConfig(str(path), 5), run_name="run"), tiny)
    assert folder.manifest["data"]["pairs"] == 1 and [each["pair"] for each in folder.records(2)] == ["line-1"]
    assert "that the Generator cannot write ('line-2': it needs" in folder.manifest["data"]["account"]
    assert list(open_run(folder.path).pairs) == ["line-1"] and "1 of 1, 100 %" not in run_summary(folder)
    with pytest.raises(InputError, match=r"can write none of the 2 pairs .* it needs"):
        made(config(tmp_path, optimizer=OptimizerConfig(K=100_000)), tiny)


def test_stage_3_alone_leaves_no_empty_folder(tmp_path, tiny):
    with pytest.raises(InputError, match="use --stage 2,3"):
        made(config(tmp_path, stage="3"), tiny)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", " ", "a ", "\ta", "a\nb", "a/b", "..", ".hidden", "-pairs", "a\0", "a\u202eb"])
def test_names_that_other_programs_choke_on_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="expected a plain folder name"):
        config(tmp_path, run_name=name)


@pytest.mark.parametrize(
    ("name", "made_of_it"),
    [
        ("a", "a"),
        ("x/y", "y"),
        ("-a b", "a_b"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("问.v2", "问.v2"),
        ("a\nb", "a_b"),
    ],
)
def test_names_made_of_files_are_plain(name, made_of_it):
    assert plain(name) == made_of_it


def test_a_model_in_the_working_folder_has_its_name(tmp_path, monkeypatch, tiny):
    home = tmp_path / "my model"
    tiny.model.save_pretrained(home)
    tiny.tokenizer.save_pretrained(home)
    monkeypatch.chdir(home)
    here = GeneratorConfig(model=".", device="cpu", dtype="float32")
    assert made(config(tmp_path, generator=here), tiny).path.name.startswith("my_model-pairs-")


def test_odd_folders_are_told_and_left_out(tmp_path, example, capsys):
    for name, text in (("other", '{"name": "x"}'), ("list", "[]"), ("torn", "{"), ("deep", "[" * 100_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    (tmp_path / "bytes").mkdir()
    (tmp_path / "bytes" / "run.json").write_bytes(b"\xff\xfe")
    shutil.copytree(example.folder.path, tmp_path / "good", ignore=shutil.ignore_patterns(".lock"))
    assert [folder.path.name for folder in readable_runs(tmp_path)] == ["good"]
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 5 and all(line.startswith("left out: ") for line in told)


def test_a_run_that_was_cut_says_what_is_missing(tmp_path, example):
    """Of stage 3, too; and a command that was told to ignore gates is told so again."""
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(example.folder.path, folder.path, ignore=shutil.ignore_patterns(".lock"))
    path = folder.path / "stage3.jsonl"
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    text, going_on = run_summary(folder), next_commands(folder)
    assert f"1 of {len(example.records(3))} pairs were decoded" in text and "open until all have ended" in text
    assert "Continue it" in going_on and "--ignore-gates" in going_on


def test_a_diagnosis_that_was_interrupted_is_offered_again(tmp_path, tiny):
    folder = made(config(tmp_path, stage="1"), tiny)
    assert "1" in folder.diagnosis() and "failures mean" not in next_commands(folder)
    os.remove(folder.path / "summary.json")
    assert "Find out what its failures mean" in next_commands(folder)


def test_what_has_no_content_any_more_is_done_again(tmp_path, tiny, capsys):
    folder = made(config(tmp_path, run_name="run"), tiny)
    gone, damaged = folder.records(2)[:2]
    before = {record["problem"]: (record["steps"], record["loss"]) for record in folder.records(2)}
    (folder.path / gone["content"]["file"]).unlink()
    os.truncate(folder.path / damaged["content"]["file"], 50)
    capsys.readouterr()
    folder = made(config(tmp_path, run_name="run"), tiny)
    told = capsys.readouterr().err
    assert (
        "2 finished problems have no content any more" in told and f"holds the content of {gone['problem']!r}" in told
    )
    assert {record["problem"]: (record["steps"], record["loss"]) for record in folder.records(2)} == before
    assert all(len(folder.content(record)) for stage in (2, 3) for record in folder.records(stage))
    made(config(tmp_path, run_name="run"), tiny)
    assert "no content" not in capsys.readouterr().err


def test_a_part_without_baselines_has_no_verdict(tmp_path, tiny):
    """As those of the study; not one of its pairs was judged by the criterion."""
    settings = config(tmp_path, stage="2")
    with prepare(settings, ContentOptimizer, generator=tiny) as phase, phase.session():
        phase.optimize(2, joint_problems(tiny, phase.dataset.pairs), settings.optimizer)
    text = run_summary(phase.folder)
    assert "none: without baselines" in text and "converged                               none" in text


@pytest.mark.parametrize("mode", ["\udcff", "\0", "\u200b", "a\n"])
def test_mode_words_are_words(tmp_path, mode):
    with pytest.raises(InputError, match="mode_tokens is"):
        config(tmp_path, mode_tokens=("Q", mode))
