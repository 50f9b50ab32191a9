"""Killing a distributed run at random moments, and counting what is lost: ``python -m dcm_helpers.bench.faults``.

Every trial is a run of the tests' Generator with two workers on this machine. Something of it is killed or damaged at a
random moment; then the same command is given again, until it ends well. Lost, doubled and wrong results are counted.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.runs import problem_of
from dcm_helpers.stm import Row, score_rows
from dcm_helpers.store import RunFolder

PAIRS = 8
AGAIN = 4
"""The same command is given again at most so often."""
TOLERANCE = 1e-4
"""Relative: a stored loss was computed in another batch."""
LONGEST = 240
"""Seconds that a run may take."""


@dataclass(frozen=True)
class Command:
    """Kill a distributed run at random moments, go on with it, and count what is lost, doubled or wrong."""

    trials: int = 20
    """How many runs."""
    seed: int = 0
    """Seed of kinds and moments."""


def command_of(folder: Path) -> list[str]:
    """A small distributed run."""
    words = [
        sys.executable,
        "-m",
        "dcm_helpers.run_phase1a",
        "--model",
        "tiny",
        "--device",
        "cpu",
        "--dtype",
        "float32",
    ]
    words += ["--K", "8", "--lr", "0.1", "--num-steps", "200", "--num-restarts", "1", "--num-examples", str(PAIRS)]
    words += ["--batch-size", "2", "--ignore-gates", "--distributed", "localhost:0:100,localhost:1:100"]
    return [*words, "--output-dir", str(folder), "--run-name", "run"]


def below(pid: int) -> dict[int, str]:
    """All processes that a process has started, directly or not, with their command lines (Linux)."""
    lines = subprocess.check_output(["ps", "-eo", "pid=,ppid=,args="], text=True).splitlines()
    table = {int(line.split()[0]): (int(line.split()[1]), line.split(None, 2)[2]) for line in lines}
    found: dict[int, str] = {}
    while True:
        new = {each: args for each, (parent, args) in table.items() if each not in found and parent in {pid, *found}}
        if not new:
            return found
        found |= new


def kill(process: subprocess.Popen, name: str, draw: random.Random) -> bool:
    """Kill one of the processes of a run whose command line holds a name. Returns whether there was one."""
    pids = [pid for pid, args in below(process.pid).items() if name in args]
    if pids:
        os.kill(draw.choice(pids), signal.SIGKILL)
    return bool(pids)


def torn(path: Path, draw: random.Random) -> None:
    """Cut a file somewhere in its last line."""
    if path.is_file() and (size := path.stat().st_size):
        os.truncate(path, size - draw.randrange(1, min(size, 200)))


WHILE: dict[str, Callable[[subprocess.Popen, random.Random], object]] = {
    "driver killed": lambda process, draw: process.kill(),
    "worker killed": lambda process, draw: kill(process, "ray::Actor", draw),
    "node killed": lambda process, draw: kill(process, "raylet/raylet", draw),
    "driver told to end": lambda process, draw: process.send_signal(signal.SIGTERM),
}
"""What is done to a run while it goes on."""
AFTER: dict[str, Callable[[Path, random.Random], None]] = {
    "last record torn": lambda folder, draw: torn(folder / "stage2.jsonl", draw),
    "last curve torn": lambda folder, draw: torn(folder / "history.jsonl", draw),
}
"""What is done to the folder of a run whose driver was killed."""


def trial(kind: str, folder: Path, draw: random.Random, longest: float) -> Counter:
    """One run with one fault, gone on with. Returns what came of it."""
    process = subprocess.Popen(command_of(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(draw.uniform(0.3, 1.0) * longest)
    WHILE.get(kind, WHILE["driver killed"])(process, draw)
    _, told = process.communicate(timeout=LONGEST)
    outcome = Counter({"tracebacks": "Traceback" in told})
    if kind in AFTER:
        AFTER[kind](folder / "run", draw)
    for _ in range(AGAIN):
        done = subprocess.run(command_of(folder), capture_output=True, text=True, timeout=LONGEST)
        outcome["tracebacks"] += "Traceback" in done.stderr
        if done.returncode == 0:
            break
    outcome["not finished"] += done.returncode != 0
    return outcome


def judged(folder: RunFolder, generator: Generator) -> Counter:
    """What is wrong with the records of a finished run."""
    lines = [line for line in (folder.path / "stage2.jsonl").read_text().splitlines() if line]
    records = folder.records(2)
    found = Counter({"lost": PAIRS - len(records), "doubled": len(lines) - len(records)})
    for record in records:
        problem = problem_of(generator, record)
        rows = [Row.of(generator, view, 0) for view in problem.views]
        scores = score_rows(generator, rows, folder.content(record)[None], record["K"])
        losses = torch.tensor([score["loss"] for score in scores])
        stored = torch.tensor([view["loss"] for view in record["views"]])
        found["other loss"] += not torch.allclose(losses, stored, rtol=TOLERANCE, atol=1e-6)
    return found


def main() -> int:
    """Run the campaign and print its counts. Returns 0 if nothing was lost, doubled or wrong."""
    command = tyro.cli(Command, prog="python -m dcm_helpers.bench.faults")
    generator = load_generator(GeneratorConfig("tiny", "cpu", "float32"))
    draw, kinds = random.Random(command.seed), [*WHILE, *AFTER]
    totals: dict[str, Counter] = {kind: Counter() for kind in kinds}
    with tempfile.TemporaryDirectory() as place:
        started = time.perf_counter()
        subprocess.run(command_of(Path(place) / "whole"), capture_output=True, check=True)
        longest = time.perf_counter() - started
        for number in range(command.trials):
            kind, folder = kinds[number % len(kinds)], Path(place) / str(number)
            outcome = trial(kind, folder, draw, longest) + judged(RunFolder.read(folder / "run"), generator)
            totals[kind].update({"trials": 1, **outcome})
            print(f"{number + 1}/{command.trials} {kind}: {dict(outcome) or 'nothing wrong'}", file=sys.stderr)
    for kind, counts in totals.items():
        print(f"{kind:20} {dict(counts)}")
    return int(any(sum(counts.values()) > counts["trials"] for counts in totals.values()))


if __name__ == "__main__":
    sys.exit(main())
