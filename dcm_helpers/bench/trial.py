"""A small run that something happens to: its command, what it started, its folder on a disk and under a clock."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PAIRS = 8
LONGEST = 240
"""Seconds that a command may take."""
WORKERS = ("--distributed", "localhost:0:100,localhost:1:100")
SETTINGS = (
    f"--model tiny --device cpu --dtype float32 --K 8 --lr 0.1 --num-steps 200 --num-restarts 1 --num-examples {PAIRS} "
    "--batch-size 2 --ignore-gates --run-name run"
)
ROOM = "64m"
"""Size of a disk that is to be filled or made read-only."""
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
TOLD = {0, 2, 130, -signal.SIGKILL}
"""Exit statuses of a command that says what happened, or was killed."""


@dataclass
class Trial:
    """A run that something happens to.

    Args:     folder  where its folder lies;  longest  seconds of a run to which nothing happens;  workers  whether it
              has two, or is one process
    """

    folder: Path
    draw: random.Random
    longest: float
    workers: bool = True
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> Path:
        """The run folder."""
        return self.folder / "run"

    def start(self, workers: bool) -> subprocess.Popen:
        """Give the command."""
        words = [sys.executable, "-m", "dcm_helpers.run_phase1a", *SETTINGS.split(), "--output-dir", str(self.folder)]
        self.process = subprocess.Popen(
            ["env", *(f"{name}={value}" for name, value in self.environment.items()), *words, *(WORKERS * workers)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def ended(self) -> Counter:
        """Wait for the command. Returns what is wrong with how it ended."""
        try:
            told = self.process.communicate(timeout=LONGEST)[1]
        except subprocess.TimeoutExpired:
            started = below(self.process.pid)
            for pid in (self.process.pid, *started):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.communicate()
            return Counter(hung=1)
        odd = self.process.returncode not in TOLD
        if odd:
            print(f"status {self.process.returncode}: {told[-300:].strip()}", file=sys.stderr)
        return Counter(tracebacks="Traceback" in told, ended_by_the_engine=odd)

    def kill(self, name: str) -> None:
        """Kill one of the processes that the command started; the command itself if there is none of that name yet."""
        pids = [pid for pid, words in below(self.process.pid).items() if name in words]
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.draw.choice(pids) if pids else self.process.pid, signal.SIGKILL)

    def cut(self, pattern: str) -> None:
        """Cut one of the run's files somewhere in its last 200 bytes."""
        if paths := [path for path in sorted(self.run.glob(pattern)) if path.stat().st_size]:
            path = self.draw.choice(paths)
            size = path.stat().st_size
            os.truncate(path, size - self.draw.randint(1, min(size, 200)))

    def fill(self) -> None:
        """Leave no room on the disk."""
        with open(self.folder / "filling", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(512)):
                pass

    def clear(self) -> None:
        """Make room on the disk again."""
        (self.folder / "filling").unlink()

    def forbid(self) -> None:
        """Give the command while the disk cannot be written."""
        remount = ["mount", "-o", "remount,ro", str(self.folder)]
        subprocess.run(remount, check=True)
        self.start(workers=False)
        wrong = self.ended()
        subprocess.run([*remount[:2], "remount,rw", *remount[3:]], check=True)
        if self.process.returncode != 2 or any(wrong.values()):
            raise RuntimeError(f"on a read-only disk the command ended with {self.process.returncode}: {wrong}")

    def set_clock(self) -> None:
        """Set the clock that the command sees by up to 400 days, forward or back."""
        Path(self.environment["FAKETIME_TIMESTAMP_FILE"]).write_text(f"{self.draw.uniform(-400, 400):+.3f}d\n")


@contextlib.contextmanager
def own_disk(trial: Trial) -> Iterator[None]:
    """A small disk for a trial's folder; mounting one needs the right to."""
    trial.folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(trial.folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(trial.folder)], check=True)


@contextlib.contextmanager
def own_clock(trial: Trial) -> Iterator[None]:
    """A clock for a trial; Ray cannot be started under it, so the run is one process."""
    trial.folder.mkdir()
    trial.workers = False
    trial.environment = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(trial.folder / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    (trial.folder / "clock").write_text("+0\n")
    yield


def below(pid: int) -> dict[int, str]:
    """All processes that a process has started, directly or not, with their command lines (Linux)."""
    lines = subprocess.check_output(["ps", "-eo", "pid=,ppid=,args="], text=True).splitlines()
    table = {int(line.split()[0]): (int(line.split()[1]), line.split(None, 2)[2]) for line in lines}
    found: dict[int, str] = {}
    while True:
        new = {each: words for each, (parent, words) in table.items() if each not in found and parent in {pid, *found}}
        if not new:
            return found
        found |= new
