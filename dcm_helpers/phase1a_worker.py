"""A worker behind a pipe: jobs on stdin, progress and results on stdout: ``python -m dcm_helpers.phase1a_worker``."""

import contextlib
import io
import json
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
from dcm_helpers.shell import FINISHED, MISTAKEN, STOPPED, command_line


@dataclass(frozen=True)
class Command:
    """Do jobs that come as lines of JSON on stdin, and say on stdout, a line each, what comes of them.

    Over ssh or by any scheduler; dcm_helpers/workers/README.md has the messages with examples. Exit status: 0 if all
    was done, 2 if something was told as an error, 130 if it was stopped.
    """

    generator: tyro.conf.OmitArgPrefixes[GeneratorConfig] = field(default_factory=GeneratorConfig)
    jobs: Path | None = None
    """A file of jobs, one a line, in place of stdin."""
    index: int = 0
    """Which share of --jobs is done here, counted from 0."""
    count: int = 1
    """How many shares there are."""
    schema: tyro.conf.FlagCreatePairsOff[bool] = False
    """Only print the JSON schema of the messages."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 all done, 2 something was told as an error, 130 stopped."""
    return command_line(serve, arguments, "Results that were told are whole.")


def serve(arguments: Sequence[str] | None) -> int:
    """Do the jobs until there are no more."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.phase1a_worker")
    # imported here: they take seconds, which --help should not
    from dcm_helpers.watch import stopping_on_interrupt
    from dcm_helpers.workers import Worker, line_of, schema

    if command.schema:
        print(json.dumps(schema(), indent=2))
        return FINISHED
    require(
        0 <= command.index < command.count,
        f"index is {command.index} of {command.count} shares; expected a number from 0, and a count above the index",
    )
    share = (command.index, command.count) if command.jobs is not None else (0, 1)
    failed = False
    stopped = threading.Event()

    def emit(told: dict) -> None:
        nonlocal failed
        print(line_of(told), flush=True)
        failed = failed or told["type"] == "error"
        if told["type"] == "end" and told["stopped"]:  # by a message or a signal: no other job is begun
            stopped.set()

    with lines_of(command.jobs) as lines:
        worker = Worker.load(command.generator)
        emit(worker.ready())
        with stopping_on_interrupt(worker.stop):
            for job in jobs_of(lines, share, worker.stop, stopped):
                if job["type"] == "error":
                    emit(job)
                else:
                    worker.work(job, emit)
                if stopped.is_set():
                    break
    return STOPPED if stopped.is_set() else MISTAKEN if failed else FINISHED


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


def jobs_of(lines: TextIO, share: tuple[int, int], stop: threading.Event, stopped: threading.Event) -> Iterator[dict]:
    """The jobs of a share of lines, each as a message; of a line that is none, the message that says so.

    A ``stop`` among them is heard while a job is being done.

    Raises:   what kept the lines from being read
    """
    arrived: Queue[dict | BaseException | None] = Queue()

    def listen() -> None:
        try:
            written = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
            for place, (number, line) in enumerate(written):
                if place % share[1] != share[0]:
                    continue
                told = read_line(line, f"line {number}")
                if told["type"] == "stop":
                    stopped.set()
                    stop.set()
                    break
                arrived.put(told)
            arrived.put(None)
        except BaseException as error:  # to be raised where somebody hears it
            arrived.put(error)

    threading.Thread(target=listen, daemon=True).start()
    while (told := arrived.get()) is not None:
        if isinstance(told, BaseException):
            raise told
        yield told


def read_line(line: str, where: str) -> dict:
    """A job or a stop; of a line that is neither, the message that says what is wrong with it."""
    from dcm_helpers.workers import message, read_message

    try:
        told = read_message(line, where)
        require(told["type"] in ("job", "stop"), f"{where}: a worker takes jobs, not {told['type']}")
    except InputError as error:
        return message("error", job=job_id(line), message=str(error))
    return told


def job_id(line: str) -> str | None:
    """The id of the job that a line was to be, if it can be read."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    found = value.get("job") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


if __name__ == "__main__":
    sys.exit(main())
