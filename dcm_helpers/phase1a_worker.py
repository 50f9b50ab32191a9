"""A worker behind a pipe: jobs on stdin, progress and results on stdout: ``python -m dcm_helpers.phase1a_worker``."""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

import tyro

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.shell import FINISHED, STOPPED, command_line


@dataclass(frozen=True)
class Command:
    """Do jobs that come as lines of JSON on stdin, and say on stdout, a line each, what comes of them.

    Over ssh or by any scheduler; dcm_helpers/workers/README.md has the messages with examples. With --jobs a file is
    read in place of stdin, and of its jobs only this task's share, as a Slurm array numbers them.
    """

    generator: tyro.conf.OmitArgPrefixes[GeneratorConfig] = field(default_factory=GeneratorConfig)
    jobs: Path | None = None
    """A file of jobs, one a line, in place of stdin."""
    index: int = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    """Which share of --jobs is done here, counted from 0."""
    count: int = int(os.environ.get("SLURM_ARRAY_TASK_COUNT", "1"))
    """How many shares there are."""
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
    require(
        0 <= command.index < command.count,
        f"index is {command.index} of {command.count} shares; expected a number from 0 to {command.count - 1}",
    )

    stopped = threading.Event()

    def emit(told: dict) -> None:
        print(line_of(told), flush=True)
        if told["type"] == "end" and told["stopped"]:  # by a message or a signal: no other job is begun
            stopped.set()

    worker = Worker.load(command.generator)
    emit(worker.ready())
    with stopping_on_interrupt(worker.stop):
        for job in jobs_of(command, worker.stop, stopped):
            if isinstance(job, InputError):
                emit(message("error", job=None, message=str(job)))
                continue
            worker.work(job, emit)
            if stopped.is_set():
                return STOPPED
    return FINISHED


def jobs_of(command: Command, stop: threading.Event, stopped: threading.Event):
    """The jobs of stdin or of a file's share, each as a message; what is none, as the error that says so.

    A ``stop`` among them is heard while a job is being done.
    """
    from dcm_helpers.workers import read_message

    arrived: Queue = Queue()

    def listen() -> None:
        with contextlib.closing(command.jobs.open(encoding="utf-8") if command.jobs else sys.stdin) as lines:
            for number, line in enumerate(filter(str.strip, lines)):
                if command.jobs is not None and number % command.count != command.index:
                    continue
                try:
                    told = read_message(line, f"line {number + 1}")
                    require(
                        told["type"] in ("job", "stop"), f"line {number + 1}: a worker takes jobs, not {told['type']}"
                    )
                except InputError as error:
                    arrived.put(error)
                    continue
                if told["type"] == "stop":
                    stopped.set()
                    stop.set()
                    break
                arrived.put(told)
        arrived.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while (job := arrived.get()) is not None:
        yield job


if __name__ == "__main__":
    sys.exit(main())
