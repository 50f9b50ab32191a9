"""A worker behind a pipe: jobs on stdin, progress and results on stdout: ``python -m dcm_helpers.phase1a_worker``."""

import contextlib
import io
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import TextIO

import tyro

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.files import is_there
from dcm_helpers.shell import FINISHED, STOPPED, command_line

SLURM = {"ID": "0", "MIN": "0", "STEP": "1", "COUNT": "1"}
"""What Slurm says of an array's task, and what is taken where there is none."""


@dataclass(frozen=True)
class Command:
    """Do jobs that come as lines of JSON on stdin, and say on stdout, a line each, what comes of them.

    Over ssh or by any scheduler; dcm_helpers/workers/README.md has the messages with examples. With --jobs a file is
    read in place of stdin, and of its jobs only this task's share, as a Slurm array numbers them.
    """

    generator: tyro.conf.OmitArgPrefixes[GeneratorConfig] = field(default_factory=GeneratorConfig)
    jobs: Path | None = None
    """A file of jobs, one a line, in place of stdin."""
    index: int | None = None
    """Which share of --jobs is done here, counted from 0; None asks Slurm, or does all."""
    count: int | None = None
    """How many shares there are; None asks Slurm."""
    schema: tyro.conf.FlagCreatePairsOff[bool] = False
    """Only print the JSON schema of the messages."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    return command_line(serve, arguments, "Results that were told are whole.")


def serve(arguments: Sequence[str] | None) -> int:
    """Do the jobs until there are no more."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.phase1a_worker")
    # imported here: they take seconds, which --help should not
    from dcm_helpers.watch import stopping_on_interrupt
    from dcm_helpers.workers import Worker, line_of, message, schema

    if command.schema:
        print(json.dumps(schema(), indent=2))
        return FINISHED
    share = share_of(command) if command.jobs is not None else (0, 1)
    stopped = threading.Event()

    def emit(told: dict) -> None:
        print(line_of(told), flush=True)
        if told["type"] == "end" and told["stopped"]:  # by a message or a signal: no other job is begun
            stopped.set()

    with lines_of(command.jobs) as lines:
        worker = Worker.load(command.generator)
        emit(worker.ready())
        with stopping_on_interrupt(worker.stop):
            for job in jobs_of(lines, share, worker.stop, stopped):
                if isinstance(job, InputError):
                    emit(message("error", job=None, message=str(job)))
                    continue
                worker.work(job, emit)
                if stopped.is_set():
                    return STOPPED
    return FINISHED


def share_of(command: Command) -> tuple[int, int]:
    """Which share of a file's jobs is done, and how many there are.

    Raises:   InputError if there is no such share
    """
    places = {name: os.environ.get(f"SLURM_ARRAY_TASK_{name}", default) for name, default in SLURM.items()}
    strange = [f"SLURM_ARRAY_TASK_{name} is {value!r}" for name, value in places.items() if not value.isdecimal()]
    require(not strange, f"{', '.join(strange)}; expected numbers; give --index and --count")
    task, least, step, count = (int(places[name]) for name in SLURM)
    index = (task - least) // max(step, 1) if command.index is None else command.index
    count = count if command.count is None else command.count
    require(
        0 <= index < count, f"index is {index} of {count} shares; expected a number from 0, and a count above the index"
    )
    return index, count


@contextlib.contextmanager
def lines_of(jobs: Path | None) -> Iterator[TextIO]:
    """Where jobs are read from; what is no text becomes signs that no job has."""
    if jobs is None:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        yield sys.stdin
    else:
        require(is_there(jobs), f"jobs is {str(jobs)!r}, and there is no such file")
        with jobs.open(encoding="utf-8", errors="replace") as lines:
            yield lines


def jobs_of(lines: TextIO, share: tuple[int, int], stop: threading.Event, stopped: threading.Event) -> Iterator:
    """The jobs of a share of lines, each as a message; what is none, as the error that says so.

    A ``stop`` among them is heard while a job is being done.

    Raises:   what kept the lines from being read
    """
    arrived: Queue = Queue()

    def listen() -> None:
        try:
            for number, line in enumerate(filter(str.strip, lines)):
                if number % share[1] != share[0]:
                    continue
                told = read_line(line, f"line {number + 1}")
                if isinstance(told, dict) and told["type"] == "stop":
                    stopped.set()
                    stop.set()
                    break
                arrived.put(told)
            arrived.put(None)
        except BaseException as error:  # to be raised where somebody hears it
            arrived.put(error)

    threading.Thread(target=listen, daemon=True).start()
    while (told := arrived.get()) is not None:
        if isinstance(told, BaseException) and not isinstance(told, InputError):
            raise told
        yield told


def read_line(line: str, where: str) -> dict | InputError:
    """A job or a stop, or what is wrong with a line."""
    from dcm_helpers.workers import read_message

    try:
        told = read_message(line, where)
        require(told["type"] in ("job", "stop"), f"{where}: a worker takes jobs, not {told['type']}")
    except InputError as error:
        return error
    return told


if __name__ == "__main__":
    sys.exit(main())
