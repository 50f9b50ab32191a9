"""The command line on the tiny Generator: all stages, resuming, stopping, and what users mistype."""

import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from earlier import as_earlier_versions_wrote
from judges import generate, plain_nll, prefix_embeddings

from dcm_helpers import analyze_results, run_phase1a
from dcm_helpers.config import PRESETS, DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.errors import InputError
from dcm_helpers.objective import TERMS
from dcm_helpers.stm import View
from dcm_helpers.store import RunFolder

BASE = ["--model", "tiny", "--device", "cpu", "--dtype", "float32", "--K", "8", "--lr", "0.1", "--num-steps", "300"]


def run(tmp_path, *arguments, base=BASE):
    return run_phase1a.main([*base, "--output-dir", str(tmp_path), "--run-name", "run", *arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One complete run: all three stages on six pairs."""
    place = tmp_path_factory.mktemp("results")
    assert run(place, "--all", "--num-examples", "6") == 0
    return place


def test_all_stages_leave_a_complete_folder(finished, tiny):
    folder = RunFolder.read(finished / "run")
    assert [len(folder.records(stage)) for stage in (1, 2, 3)] == [12, 6, 6]
    summary = folder.read_json("summary.json")
    assert summary["finished"] and summary["stage2"]["reconstructed"]["count"] >= 5
    manifest = folder.manifest
    assert manifest["generator"]["mode_ids"] == {"Q": tiny.mode_id("Q"), "A": tiny.mode_id("A")}
    assert manifest["generator"]["fingerprint"] == tiny.fingerprint()
    assert manifest["sessions"][0]["seconds"] > 0


def test_anyone_can_decode_and_score_a_stored_content(finished, tiny):
    """With nothing but the folder and the Generator."""
    folder = RunFolder.read(finished / "run")
    for record in folder.records(1) + folder.records(2):
        content = folder.content(record)
        assert content.dtype == torch.float32
        for stored in record["views"]:
            view = View.of(tiny, stored["target_text"], stored["mode"], stored["given_text"])
            assert list(view.target_ids) == stored["target_ids"]
            nll = plain_nll(tiny, view, content)
            assert nll.mean().item() == pytest.approx(stored["loss"], rel=1e-3, abs=1e-5)
            decoded = generate(tiny, prefix_embeddings(tiny, view, content), len(view.target_ids) + 8)
            assert (decoded == view.target_ids) == stored["reconstructed"]
            assert list(decoded) == stored["decoded_ids"]


def test_stage3_judges_every_converged_pair(finished):
    folder = RunFolder.read(finished / "run")
    converged = {record["problem"]: record for record in folder.records(2) if record["converged"]}
    assert {record["problem"] for record in folder.records(3)} == set(converged)
    for record in folder.records(3):
        if converged[record["problem"]]["reconstructed"]:
            assert record["outcome"] == "pass"


def test_stage1_has_no_mode_and_stage2_has(finished):
    folder = RunFolder.read(finished / "run")
    assert {view["mode"] for record in folder.records(1) for view in record["views"]} == {None}
    assert [view["mode"] for view in folder.records(2)[0]["views"]] == ["Q", "A"]


def test_same_command_again_only_reports(finished, capsys):
    before = (finished / "run" / "stage2.jsonl").read_bytes()
    assert run(finished, "--all", "--num-examples", "6") == 0
    assert (finished / "run" / "stage2.jsonl").read_bytes() == before
    assert "Stage 3, greedy decoding" in capsys.readouterr().out


def test_lost_records_are_redone(finished, tmp_path):
    """Cut the last record in half, as a crash would: the same command does that pair again, and equally."""
    shutil.copytree(finished / "run", tmp_path / "run", ignore=shutil.ignore_patterns(".lock"))
    path = tmp_path / "run" / "stage2.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]) + lines[-1][:50])
    assert run(tmp_path, "--all", "--num-examples", "6") == 0
    lost, again = json.loads(lines[-1]), json.loads(path.read_text().splitlines()[-1])
    assert again["problem"] == lost["problem"] and again["reconstructed"] == lost["reconstructed"]
    folder = RunFolder.read(tmp_path / "run")
    judged = {record["problem"]: record["content"] for record in folder.records(3)}
    assert judged[again["problem"]] == again["content"] != lost["content"], "stage 3 must judge the new content"


def what_it_is(record):
    """A record without what was measured or timed."""
    texts = [
        {name: value for name, value in view.items() if name.endswith(("_text", "_ids")) and name != "loss_text"}
        for view in record["views"]
    ]
    plain = {name: value for name, value in record.items() if isinstance(value, str | bool)}
    return plain | {"K": record["K"], "fields": sorted(record), "texts": texts}


def test_a_run_of_an_earlier_version_continues(finished, tmp_path):
    shutil.copytree(finished / "run", tmp_path / "run", ignore=shutil.ignore_patterns(".lock"))
    as_earlier_versions_wrote(tmp_path / "run")
    path = tmp_path / "run" / "stage2.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    assert run(tmp_path, "--all", "--num-examples", "6") == 0
    assert path.read_text().splitlines(keepends=True)[:3] == lines[:3], "what was there is left alone"
    again, before = (
        {each["problem"]: each for each in RunFolder.read(place / "run").records(2)} for place in (tmp_path, finished)
    )
    assert again.keys() == before.keys()
    for problem, record in again.items():  # with fewer neighbors than before, so that numbers are rounded otherwise
        assert what_it_is(record) == what_it_is(before[problem])
        assert record["loss"] == pytest.approx(before[problem]["loss"], rel=0.1)


def test_reports(finished, capsys):
    assert analyze_results.main([str(finished / "run")]) == 0
    text = capsys.readouterr().out
    for words in ("Stage 1", "Stage 2", "Stage 3", "tier", "95 % Wilson", "steps to exact", "written exactly", "Next"):
        assert words in text
    assert analyze_results.main(["run", "run", "--output-dir", str(finished)]) == 0
    assert "Equal in all runs: Generator tiny, dtype float32, pairs 6 from" in capsys.readouterr().out
    assert analyze_results.main(["nothing", "--output-dir", str(finished)]) == 2
    assert "no run folder" in capsys.readouterr().err


@pytest.fixture
def without_context(tmp_path, pairs):
    """A user's file of twelve pairs that have no context, so that only the random baseline decides."""
    path = tmp_path / "pairs.jsonl"
    rows = [{"question": pair.question, "answer": pair.answer} for pair in pairs[:12]]
    path.write_text("\n".join(map(json.dumps, rows)))
    return ["--dataset", str(path)]


def test_a_failed_gate_stops_and_says_what_the_numbers_support(tmp_path, without_context, capsys):
    """Two tiny steps reconstruct nothing: the gate ends the run, up to ten failures are probed, stage 2 is not run."""
    arguments = [*without_context, "--all", "--num-examples", "3", "--num-steps", "2", "--num-restarts", "1"]
    arguments += ["--lr", "1e-6"]
    assert run(tmp_path, *arguments) == 0
    folder = RunFolder.read(tmp_path / "run")
    assert len(folder.records(1)) == 6 and not folder.records(2)
    assert folder.diagnosis()["1"]["doubled_K"]["n"] == 6
    out = capsys.readouterr().out
    assert "NOT passed" in out and "What its failures support" in out and "the optimizer stalled" in out
    assert run(tmp_path, *arguments, "--ignore-gates") == 0
    assert len(folder.records(2)) == 3
    assert folder.diagnosis()["2"]["views_alone"]["n"] == 6 and "1" in folder.diagnosis()


def test_diagnosis_holds_remedies_to_the_bar_that_failed(tmp_path, without_context, monkeypatch):
    """Pairs that are reconstructed but do not converge (here: under a bar nothing can meet) are not helped by 2K."""
    monkeypatch.setattr("dcm_helpers.runs.verdicts.RANDOM_FRACTION", 0.0)
    assert run(tmp_path, *without_context, "--num-examples", "2", "--stop-rule", "exact") == 0
    folder = RunFolder.read(tmp_path / "run")
    assert any(record["reconstructed"] for record in folder.records(2))
    assert folder.diagnosis()["2"]["doubled_K"]["count"] == folder.diagnosis()["2"]["views_alone"]["count"] == 0


def test_stage2_stops_early(tmp_path, without_context, monkeypatch, capsys):
    for module in ("verdicts", "stages"):
        monkeypatch.setattr(f"dcm_helpers.runs.{module}.STAGE2_EARLY_PAIRS", 4)
    arguments = [*without_context, "--stage", "2,3", "--num-steps", "1", "--num-restarts", "1"]
    assert run(tmp_path, *arguments, "--batch-size", "2") == 0
    folder = RunFolder.read(tmp_path / "run")
    assert 4 <= len(folder.records(2)) < 12 and not folder.records(3)
    assert "2" in folder.diagnosis() and folder.halted_after == 2
    out = capsys.readouterr().out
    assert f"{len(folder.records(2))} of 12 problems have ended" in out and "--ignore-gates goes on" in out


def test_single_slot_and_validating_some(tmp_path):
    assert run(tmp_path, "--stage", "1", "--single-slot", "--num-examples", "2", "--ignore-gates") == 0
    folder = RunFolder.read(tmp_path / "run")
    assert {record["K"] for record in folder.records(1)} == {1}
    assert folder.content(folder.records(1)[0]).shape == (1, 128)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGHUP])
def test_a_stop_keeps_what_is_finished_and_the_same_command_continues(tmp_path, sent):
    command = [sys.executable, "-m", "dcm_helpers.run_phase1a", *BASE, "--num-examples", "12", "--batch-size", "4"]
    command += ["--output-dir", str(tmp_path), "--run-name", "run"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    records = tmp_path / "run" / "stage2.jsonl"
    deadline = time.monotonic() + 120
    while not (records.exists() and records.read_bytes().count(b"\n") >= 2):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command continues" in errors, errors
    folder = RunFolder.read(tmp_path / "run")
    kept = [record["problem"] for record in folder.records(2)]
    assert 2 <= len(kept) < 12 and len(folder.manifest["sessions"]) == 1
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    problems = [record["problem"] for record in RunFolder.read(tmp_path / "run").records(2)]
    assert problems[: len(kept)] == kept and len(problems) == len(set(problems)) == 12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--K", "0"], "K is 0; a content needs at least 1 slot"),
        (["--K", "600"], "slots, and the window has 512"),
        (["--lr", "-1"], "lr is -1.0"),
        (["--stage", "4"], "stage is '4'"),
        (["--stage", ""], "stage is ''"),
        (["--mode-tokens", "Question?", "A"], "mode word 'Question?' is"),
        (["--mode-tokens", "Q", "Q"], "expected 2 different words"),
        (["--model", "tinny"], "'tinny'"),
        (["--model", "./tinny"], "not a folder here"),
        (["--device", "tpu9"], "device 'tpu9' cannot be used here"),
        (["--dataset", "missing.jsonl"], "neither a known name nor a file"),
        (["--num-examples", "0"], "num_examples is 0"),
        (["--num-validate", "0"], "num_validate is 0"),
        (["--run-name", "../elsewhere"], "expected a plain folder name"),
        (["--eos-threshold", "1.5"], "eos_threshold is 1.5"),
    ],
)
def test_bad_input_gets_an_error_and_leaves_nothing_behind(tmp_path, capsys, arguments, message):
    try:
        status = run(tmp_path, *arguments)
    except SystemExit as end:  # the command line's parser frames what it refuses itself
        status = end.code
    errors = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert status == 2 and message in errors and "rror" in errors and "Traceback" not in errors
    assert not any(tmp_path.iterdir())


def test_stage3_alone_says_what_it_needs(tmp_path, capsys):
    assert run(tmp_path, "--stage", "3") == 2
    assert "stage 3 decodes what stage 2 stored" in capsys.readouterr().err


def test_answer_longer_than_the_window(tmp_path, capsys):
    data = tmp_path / "long.jsonl"
    data.write_text(json.dumps({"id": "war-and-peace", "question": "What?", "answer": "well, " * 600}))
    assert run(tmp_path / "results", "--dataset", str(data)) == 2
    assert "'war-and-peace': it needs" in capsys.readouterr().err


def test_results_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "results").write_text("a file is in the way")
    assert run(tmp_path / "results") == 2
    assert "error: " in capsys.readouterr().err


def test_presets_and_flags_beside_them():
    progressive = run_phase1a.parse(["--preset", "progressive", "--K", "4"]).run.optimizer
    assert progressive == OptimizerConfig(K=4, **PRESETS["progressive"])
    rates = [progressive.lr_at(step) for step in range(500)]
    assert rates == pytest.approx([0.05] * 200 + [0.005] * 300)
    default = run_phase1a.parse([]).run
    assert default == RunConfig() and default.stages == (2,)
    mission = run_phase1a.parse(["--preset", "mission"]).run.optimizer
    assert (mission.K, mission.lr, mission.num_steps, mission.num_restarts) == (32, 1.0, 800, 5)
    assert mission.weighting == "view" and mission.stop_rule == "confident"
    assert run_phase1a.parse(["--all"]).run.stages == (1, 2, 3)
    with pytest.raises(SystemExit):
        run_phase1a.parse(["--preset", "fast"])


def test_cosine_schedule_ends_at_zero():
    config = OptimizerConfig(schedule="cosine", lr=0.2, num_steps=100)
    assert config.lr_at(0) == 0.2 and config.lr_at(50) == pytest.approx(0.1) and config.lr_at(100) < 1e-9


def test_every_setting_is_a_flag_with_help(capsys):
    with pytest.raises(SystemExit):
        run_phase1a.parse(["--help"])
    text = capsys.readouterr().out
    groups = (RunConfig, GeneratorConfig, DataConfig, OptimizerConfig)
    names = {field.name for group in groups for field in dataclasses.fields(group)}
    for name in names - {"generator", "data", "optimizer", "terms"} | {"all", "resume", "preset", "term"}:
        assert f"--{name.replace('_', '-')}" in text
    in_one_line = " ".join(text.split())
    for name, term in TERMS.items():
        assert f"- {name}={term.usual:g}: {term.does} ({term.source})" in in_one_line


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_each_group_of_the_help_fits_a_screen(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        run_phase1a.parse(["--help"])
    text = capsys.readouterr().out
    assert "\x1b" not in text, "no colors where nobody looks"
    assert max(map(len, text.splitlines())) <= max(columns, 80)
    titles = list(re.finditer(r"^\W+((\w+ )?options) \W+$", text, re.MULTILINE))
    wanted = ["options", "Generator options", "data options", "optimization options"]
    assert [title[1] for title in titles] == wanted
    if columns == 100:
        ends = [title.start() for title in titles[1:]] + [len(text)]
        heights = [text.count("\n", title.start(), end) for title, end in zip(titles, ends, strict=True)]
        assert max(heights) <= 40, heights


@pytest.mark.parametrize(("made", "settings", "message"), [
    (OptimizerConfig, {"stop_rule": "minimise"}, "stop_rule is 'minimise'; expected one of: 'exact', 'confident'"),
    (OptimizerConfig, {"K": 2.5}, "K is 2.5; expected a whole number"),
    (OptimizerConfig, {"seed": True}, "seed is True; expected a whole number"),
    (OptimizerConfig, {"lr": "fast"}, "lr is 'fast'; expected a number"),
    (OptimizerConfig, {"terms": ("semantic", 0.3)}, "expected names with numbers, for instance {'semantic': 0.3}"),
    (RunConfig, {"single_slot": "no"}, "single_slot is 'no'; expected True or False"),
    (RunConfig, {"stage": 2}, "stage is 2; expected text"),
    (GeneratorConfig, {"dtype": "half"}, "dtype is 'half'; expected one of: 'auto', 'float64'"),
    (DataConfig, {"num_examples": "many"}, "num_examples is 'many'; expected a whole number"),
])  # fmt: skip
def test_what_a_notebook_mistypes_is_told(made, settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        made(**settings)


def test_terms_may_be_written_as_a_mapping():
    assert OptimizerConfig(terms={"semantic": 0.3}) == OptimizerConfig(terms=(("semantic", 0.3),))


def test_config_errors_are_input_errors():
    with pytest.raises(InputError):
        OptimizerConfig(K=-3)
