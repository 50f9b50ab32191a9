"""The commands that a run names as next: typed where the reader stands, they mean this run."""

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from made_records import manifest

from dcm_helpers import run_phase1a
from dcm_helpers.config import PROJECT, DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.runs import open_run
from dcm_helpers.show import next_commands
from dcm_helpers.show.commands import from_here, quoted, same_run
from dcm_helpers.store import RunFolder

MODULE = "dcm_helpers.run_phase1a"


def arguments(words):
    """What a command hands to run_phase1a."""
    assert words[1:3] == ["-m", MODULE]
    return words[3:]


@pytest.fixture
def copied(example, tmp_path, monkeypatch):
    """A copy of the example run in the folder where the reader stands."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(example.folder.path, tmp_path / "results" / "my run", ignore=shutil.ignore_patterns(".lock"))
    return RunFolder(tmp_path / "results" / "my run")


def commands_of(folder):
    """The printed commands, taken apart as a shell does."""
    return [shlex.split(line) for line in next_commands(folder).splitlines() if line.startswith("    ")]


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(),
        RunConfig(
            optimizer=OptimizerConfig(
                lr=1.0,
                beta2=0.999,
                weighting="view",
                parameterization="mlp",
                terms=(("semantic", 0.3), ("travel", 0.1)),
                grad_clip=0.5,
            )
        ),
        RunConfig(generator=GeneratorConfig(model="tiny", layers="random"), data=DataConfig("arithmetic", 7, 3)),
        RunConfig(mode_tokens=("X", "Y"), single_slot=True),
    ],
)
def test_the_same_run_is_asked_for_again(tmp_path, config):
    config = replace(config, generator=replace(config.generator, dtype="float32"))  # a run knows what 'auto' came to
    identity = config.identity()
    (tmp_path / "run.json").write_text(json.dumps({"identity": identity, **manifest()}))
    parsed = run_phase1a.parse(arguments(same_run(RunFolder(tmp_path), "3"))).run
    assert parsed.identity() == config.identity() and parsed.stages == (3,)
    assert parsed.run_name == tmp_path.name and parsed.output_dir == str(tmp_path.parent)


def test_a_whole_run_needs_no_more_than_to_be_read(copied):
    report, notebook = commands_of(copied)
    assert report[1:] == ["-m", "dcm_helpers.report", "results/my run"]
    assert notebook[0] == f"DCM_RUN={copied.path}", "a kernel works in another folder"
    assert notebook[2:-1] == ["-m", "jupyter", "lab"]
    assert notebook[-1] == str(PROJECT / "notebooks" / "02_joint_optimization.ipynb")
    assert open_run(notebook[0].removeprefix("DCM_RUN=")).records(2)


def test_without_stage_3_it_says_how_to_run_it_and_that_works(copied):
    (copied.path / "stage3.jsonl").unlink()
    decode, *rest = commands_of(copied)
    assert decode[3:5] == ["--stage", "3"] and len(rest) == 2
    subprocess.run(decode, check=True, capture_output=True, env=None)
    assert len(copied.records(3)) == 6 and len(commands_of(copied)) == 2


def test_what_is_missing_comes_first(copied):
    def first():
        return next_commands(copied).splitlines()[1].strip()

    whole = (copied.path / "stage2.jsonl").read_text()
    (copied.path / "stage3.jsonl").unlink()
    (copied.path / "stage2.jsonl").write_text(whole.replace('"converged": true', '"converged": false'))
    assert first() == "Find out what its failures mean:"
    (copied.path / "summary.json").write_text('{"diagnosis": {"2": {"records": 6}}}')
    assert first() == "Pages to read or mail:", "stage 3 decodes what converged, and nothing did"
    (copied.path / "stage2.jsonl").write_text(whole.splitlines(keepends=True)[0])
    assert first() == "Continue it:"
    (copied.path / "summary.json").write_text('{"halted_after": 2}')
    assert first() == "Go on in spite of the gate:" and commands_of(copied)[0][-1] == "--ignore-gates"
    (copied.path / "summary.json").write_text("{}")
    (copied.path / "stage2.jsonl").unlink()
    assert first() == "Question and answer from one content:"
    assert "01_single_target_diagnostic" in commands_of(copied)[-1][-1]
    (copied.path / "stage1.jsonl").unlink()
    assert first() == "Continue it:" and len(commands_of(copied)) == 1


def test_words_reach_the_shell_as_they_are_and_the_terminal_harmless():
    odd = "two\nlines 'and' \x1b[31m $HOME"
    for word in (odd, "DCM_RUN=/a b/c", "plain", "it's"):
        assert "\n" not in quoted(word) and "\x1b" not in quoted(word)
        echoed = subprocess.check_output(["bash", "-c", f"printf %s {quoted(word)}"], text=True)
        assert echoed == word
    assert quoted("DCM_RUN=/a b/c").startswith("DCM_RUN="), "a shell assigns only to a bare name"


def test_paths_are_typed_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert from_here(tmp_path / "results" / "run") == "results/run"
    assert from_here(tmp_path.parent / "other") == str(tmp_path.parent / "other")
    assert from_here(sys.executable) == sys.executable, "an environment's Python is a link, and must stay one"
