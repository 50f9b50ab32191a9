"""Killing and damaging runs at random moments, and counting what is lost: ``python -m dcm_helpers.bench.faults``.

Every trial is a run of the tests' Generator with two workers on this machine. Something of it is killed or damaged at a
random moment; then the same command is given again, with workers or without, until it ends well. What is lost, doubled
or wrong is counted.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from dcm_helpers.bench.trial import FAKETIME, PAIRS, Trial, own_clock, own_disk
from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import load_generator
from dcm_helpers.runs import problem_of
from dcm_helpers.shell import FINISHED, command_line
from dcm_helpers.stm import Row, score_rows
from dcm_helpers.store import RunFolder

AGAIN = 4
"""The same command is given again at most so often."""
TOLERANCE = 1e-4
"""Relative: a stored loss was computed in another batch."""


@dataclass(frozen=True)
class Fault:
    """What happens at a random moment of a run, and then to its folder before the command is given again."""

    during: Callable[[Trial], object] = lambda trial: trial.process.kill()
    after: Callable[[Trial], object] = lambda trial: None
    within: Callable[[Trial], AbstractContextManager] = nullcontext
    again: int = 0
    """Problems that it makes the command do once more."""


FAULTS = {
    "driver killed": Fault(),
    "worker killed": Fault(lambda trial: trial.kill("ray::Actor")),
    "node killed": Fault(lambda trial: trial.kill("raylet/raylet")),
    "head killed": Fault(lambda trial: trial.kill("gcs/gcs_server")),
    "told to end": Fault(lambda trial: trial.process.send_signal(signal.SIGTERM)),
    "last record torn": Fault(after=lambda trial: trial.cut("stage2.jsonl")),
    "last curve torn": Fault(after=lambda trial: trial.cut("history.jsonl")),
    "content cut": Fault(after=lambda trial: trial.cut("content*.safetensors"), again=1),
    "disk full": Fault(Trial.fill, Trial.clear, own_disk),
    "disk read-only": Fault(after=Trial.forbid, within=own_disk),
    "clock set": Fault(Trial.set_clock, Trial.set_clock, own_clock),
}


@dataclass(frozen=True)
class Command:
    """Kill and damage runs at random moments, go on with them, and count what is lost, doubled or wrong.

    Linux only. A full and a read-only disk need the right to mount one, a clock that is set needs libfaketime.
    """

    trials: int = 22
    """How many runs; the kinds of faults take turns."""
    seed: int = 0
    """Seed of moments and places."""
    only: tuple[str, ...] = ()
    """Kinds of faults, where not all are wanted."""


def happened(fault: Fault, trial: Trial) -> Counter:
    """One run with one fault at a random moment. Returns what is wrong with how its commands ended, and its records."""
    with fault.within(trial):
        trial.start(trial.workers)
        time.sleep(trial.draw.uniform(0.3, 1.0) * trial.longest / (1 if trial.workers else 2))
        return struck(fault, trial)


def struck(fault: Fault, trial: Trial) -> Counter:
    """Let a fault happen now, and give the command until it ends well. Returns what is wrong, as :func:`happened`."""
    fault.during(trial)
    found = trial.ended()
    fault.after(trial)
    for _ in range(AGAIN):
        trial.start(trial.workers and trial.draw.random() < 0.5)
        found += trial.ended()
        if trial.process.returncode == FINISHED:
            return found + judged(RunFolder.read(trial.run), fault.again)
    return found + Counter(not_finished=1)


def judged(folder: RunFolder, again: int) -> Counter:
    """What is wrong with the records of a finished run: lost and doubled problems, losses that are not their contents'.

    Args:     again  problems that were to be done once more, and so may have two lines
    """
    generator = load_generator(GeneratorConfig("tiny", "cpu", "float32"))
    records = folder.records(2)
    lines = len((folder.path / "stage2.jsonl").read_text().splitlines())
    found = Counter(lost=PAIRS - len(records), doubled=max(0, lines - len(records) - again))
    for record in records:
        problem = problem_of(generator, record)
        rows = [Row.of(generator, view, 0) for view in problem.views]
        scores = score_rows(generator, rows, folder.content(record)[None], record["K"])
        losses = torch.tensor([score["loss"] for score in scores])
        stored = torch.tensor([view["loss"] for view in record["views"]])
        found["other_loss"] += not torch.allclose(losses, stored, rtol=TOLERANCE, atol=1e-6)
    return found


def campaign(arguments: Sequence[str] | None) -> int:
    """Run the trials and print their counts."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.bench.faults")
    unknown = sorted(set(command.only) - FAULTS.keys())
    require(not unknown, f"only names {', '.join(unknown)}; expected some of: {', '.join(FAULTS)}")
    kinds = command.only or [
        kind
        for kind, fault in FAULTS.items()
        if (fault.within is not own_disk or os.geteuid() == 0) and (fault.within is not own_clock or FAKETIME)
    ]
    draw, totals = random.Random(command.seed), {kind: Counter() for kind in kinds}
    print(f"left out: {', '.join(FAULTS.keys() - totals.keys()) or 'nothing'}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as place:
        whole = Trial(Path(place) / "whole", draw, 0)
        started = time.perf_counter()
        whole.start(workers=True)
        require(not any(whole.ended().values()), "a run to which nothing happens does not end well")
        longest = time.perf_counter() - started
        for number in range(command.trials):
            kind = kinds[number % len(kinds)]
            found = +happened(FAULTS[kind], Trial(Path(place) / str(number), draw, longest))
            totals[kind].update({"trials": 1, **found})
            print(f"{number + 1}/{command.trials} {kind}: {dict(found) or 'nothing wrong'}", file=sys.stderr)
    for kind, counts in totals.items():
        print(f"{kind:20} {dict(counts)}")
    return FINISHED if all(set(counts) <= {"trials", "ended_by_the_engine"} for counts in totals.values()) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 if nothing was lost, doubled or wrong, else 1."""
    return command_line(campaign, arguments, "What was counted is above.")


if __name__ == "__main__":
    sys.exit(main())
