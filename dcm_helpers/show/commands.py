"""The commands that go on from a run, as they are typed where the reader stands."""

import dataclasses
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

from dcm_helpers.config import PROJECT, OptimizerConfig, RunConfig
from dcm_helpers.runs import fell_short, stored_place, summarize
from dcm_helpers.store import RunFolder

GROUPS = ("generator", "data", "optimizer")


def next_commands(folder: RunFolder) -> str:
    """What can be done with a run, each with the command to type: what is missing of it, its pages, its notebook."""
    summary = summarize(folder)
    commands = [] if (missing := what_is_missing(folder, summary)) is None else [missing]
    if summary["stage1"] or summary["stage2"]:
        name = "02_joint_optimization" if summary["stage2"] else "01_single_target_diagnostic"
        notebook = [python(), "-m", "jupyter", "lab", from_here(PROJECT / "notebooks" / f"{name}.ipynb")]
        # a notebook's kernel works elsewhere, but finds what lies in the project
        place = from_here(folder.path) if Path.cwd() == PROJECT else os.path.abspath(folder.path)
        commands += [
            ("Pages to read or mail", [python(), "-m", "dcm_helpers.report", from_here(folder.path)]),
            ("Step through it", [f"DCM_RUN={place}", *notebook]),
        ]
    return "\n".join(["Next", *(f"  {what}:\n    {' '.join(map(quoted, words))}" for what, words in commands)])


def what_is_missing(folder: RunFolder, summary: dict) -> tuple[str, list[str]] | None:
    """What goes on with a run that has not all stages, and its command; None where nothing does."""
    sessions = folder.manifest["sessions"]
    asked = ",".join(map(str, sessions[-1]["stages"])) if sessions else RunConfig.stage
    one, two, three = (summary[f"stage{number}"] for number in (1, 2, 3))
    if folder.halted_after is not None:
        return "Go on in spite of the gate", [*same_run(folder, asked), "--ignore-gates"]
    undiagnosed = [stage for stage in (1, 2) if fell_short(stage, summary) and str(stage) not in folder.diagnosis()]
    if not (one or two) or any(stage and not stage["complete"] for stage in (one, two, three)):
        return "Continue it", same_run(folder, asked)
    if undiagnosed:
        return "Find out what its failures mean", same_run(folder, str(undiagnosed[0]))
    if not two:
        return "Question and answer from one content", same_run(folder, "2,3")
    if not three and two["converged"]["count"]:
        return "Decode greedily what converged", same_run(folder, "3")
    return None


def same_run(folder: RunFolder, stage: str) -> list[str]:
    """The command that runs stages on a run that is there, with its settings; those at their default are left out."""
    words = [python(), "-m", "dcm_helpers.run_phase1a", "--stage", stage]
    default = default_settings()
    for name, value in settings_of(folder.manifest["identity"]).items():
        if value != default[name]:
            if name in ("model", "dataset") and (place := stored_place(value)) != value:
                value = from_here(place)  # it lies in the project, and was stored as found from there
            if name == "terms":
                words += [word for term, number in value for word in ("--term", f"{term}={number:g}")]
                continue
            values = [] if value is True else value if isinstance(value, list) else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    if (sessions := folder.manifest["sessions"]) and sessions[-1].get("ignore_gates"):
        words.append("--ignore-gates")
    place, name = from_here(folder.path.parent), Path(os.path.abspath(folder.path)).name
    return [*words, *([] if place == RunConfig.output_dir else ["--output-dir", place]), "--run-name", name]


def default_settings() -> dict:
    """Every setting of a run at its default, by name."""
    settings = json.loads(json.dumps(dataclasses.asdict(RunConfig())))
    groups = [settings.pop(group) for group in GROUPS]
    return {name: value for group in (*groups, settings) for name, value in group.items()}


def settings_of(identity: dict) -> dict:
    """The settings that a run was made with, by name; what an earlier version did not know is at its default."""
    optimizer = dataclasses.asdict(OptimizerConfig.of_stored(identity["optimizer"]))
    groups = {**identity, "optimizer": json.loads(json.dumps(optimizer))}
    stored = {**identity, **{name: value for group in GROUPS for name, value in groups[group].items()}}
    return {name: stored.get(name, value) for name, value in default_settings().items()}


def python() -> str:
    """What this Python is called from here."""
    found = shutil.which("python")
    return "python" if found and os.path.abspath(found) == sys.executable else from_here(sys.executable)


def from_here(path: str | Path) -> str:
    """A path as it is typed from here: relative where it lies below; links stay links, as an environment's Python."""
    path = Path(os.path.abspath(path))
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def quoted(word: str) -> str:
    """A word as a shell reads it; control characters are escaped, so that showing it does nothing to a terminal."""
    if not word.isprintable():
        return "$'" + word.encode("unicode_escape").decode().replace("'", "\\'") + "'"
    name, sign, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if sign and name.isidentifier() else shlex.quote(word)
