"""The whole command, as a user waits for it: a fresh process that loads, optimizes, sets beside baselines and stores.

``python -m dcm_helpers.bench.whole`` takes the flags of run_phase1a and finds contents one pair at a time.
"""

import dataclasses
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Annotated

import tyro

from dcm_helpers.bench.alternatives import cramming_adamw, one_at_a_time
from dcm_helpers.config import OptimizerConfig, RunConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import ContentOptimizer, Result
from dcm_helpers.runs import prepare
from dcm_helpers.stats import rate
from dcm_helpers.stm import Problem, initial_content
from dcm_helpers.store import RunFolder
from dcm_helpers.watch import Progress

RUN = "run"


@dataclass(frozen=True)
class Whole:
    """How long one command took."""

    seconds: float
    """Median over repeats, from its call to its end."""
    spread: tuple[float, float]
    """Fastest and slowest repeat."""
    pairs: int
    reconstructed: int
    spent: Mapping[str, float]
    """Of the last repeat, as the run says it; what is left is Python's start and imports."""

    def __str__(self) -> str:
        fastest, slowest = self.spread
        spent = ", ".join(f"{what} {seconds:.1f}" for what, seconds in self.spent.items())
        return (
            f"{self.seconds:.1f} s ({fastest:.1f} to {slowest:.1f}), {self.seconds / self.pairs:.2f} a pair; "
            f"{self.reconstructed} of {self.pairs} reconstructed; {spent}"
        )

    def summary(self) -> dict:
        """The figures of a table row."""
        return {
            "seconds": round(self.seconds, 1),
            "seconds_fastest_slowest": [round(seconds, 1) for seconds in self.spread],
            "seconds_per_pair": round(self.seconds / self.pairs, 2),
            "reconstructed": rate(self.reconstructed, self.pairs),
            "spent": dict(self.spent),
        }


def whole_command(program: str, flags: Sequence[str], repeats: int) -> Whole:
    """Time a command that makes a run, each time anew.

    Args:     program  what follows ``python -m``;  flags  those of run_phase1a, without a place for the run
    Raises:   InputError if the command fails
    """
    times = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-m", program, *flags, "--output-dir", folder, "--run-name", RUN]
            started = time.perf_counter()
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            times.append(time.perf_counter() - started)
            require(done.returncode == 0, f"{program} failed: {done.stderr.strip()[-500:]}")
            made = RunFolder.read(Path(folder) / RUN)
            records, spent = made.records(2), made.manifest["sessions"][-1]["spent"]
    return Whole(
        seconds=statistics.median(times),
        spread=(min(times), max(times)),
        pairs=len(records),
        reconstructed=sum(record["reconstructed"] for record in records),
        spent=spent,
    )


class OneAtATime:
    """Finds contents one pair after the other, as is done elsewhere; what it finds is confirmed and told as ours is."""

    def __init__(self, generator: Generator, config: OptimizerConfig):
        self.generator, self.config = generator, config
        self.judge = ContentOptimizer(generator, dataclasses.replace(config, num_steps=1, num_restarts=1))
        self.set_aside: dict[str, str] = {}

    def iterate(
        self,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
    ) -> Iterator[Result]:
        """Yield each problem's result; its steps are not told."""
        for problem in problems:
            if stop is not None and stop.is_set():
                return
            start = initial_content(self.generator, problem, self.config.K, "gaussian", self.config.seed, 0)
            found = one_at_a_time(self.generator, problem, start, cramming_adamw, self.config.num_steps)
            yield from self.judge.iterate([dataclasses.replace(problem, initial=found.content)], on_step)


def main() -> None:
    """Make a run as run_phase1a does, with contents found one pair at a time."""
    config = tyro.cli(tyro.conf.OmitArgPrefixes[Annotated[RunConfig, tyro.conf.arg(name="")]])
    with prepare(config, OneAtATime) as run:
        run.run()


if __name__ == "__main__":
    main()
