"""What all command lines share: how they end, whatever ends them, and what they write to."""

import argparse
import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from dcm_helpers.errors import NEXT_LINE, InputError, shortened
from dcm_helpers.markup import printable

FINISHED, MISTAKEN, STOPPED = 0, 2, 130
"""Exit statuses of a command: well; something given to it cannot work; ended by Ctrl-C, as shells have it."""
CONTINUES = "Everything finished is stored; the same command continues."
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a command as Ctrl-C does; Windows has no SIGHUP."""


def command_line(work: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None, kept: str) -> int:
    """Do what a command is for, and end it in one line.

    Args:     work  is handed the arguments, by default those that were typed, and returns the exit status;  kept  what
              there is to say about what was done when it is stopped
    Returns:  the exit status
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal's alphabet may lack signs of the data
            stream.reconfigure(errors="backslashreplace")
    with interrupted_by(ENDING):
        try:
            status = work(arguments)
            sys.stdout.flush()
            return status
        except BrokenPipeError:  # whoever reads the output, as `head` does, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FINISHED
        except (InputError, OSError) as error:
            told = map(printable, shortened(str(error)).split(NEXT_LINE))  # what is quoted may do things to a terminal
            print(f"error: {NEXT_LINE.join(told)}", file=sys.stderr)
            return MISTAKEN
        except KeyboardInterrupt:
            print(f"Stopped. {kept}", file=sys.stderr)
            return STOPPED


def given(arguments: Sequence[str] | None, flag: str, default: str) -> str:
    """What a command line says after a flag that decides the defaults of all others, looked at before them."""
    first_look = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first_look.add_argument(f"--{flag}", f"--{flag.replace('-', '_')}", dest="found", default=default)
    return str(first_look.parse_known_args(arguments)[0].found)  # what it makes of '--preset=--' is a list


def end_quietly() -> None:
    """Let Ctrl-C end a command in one line while its modules are still being imported, too."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            print("Stopped before anything was begun.", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


@contextlib.contextmanager
def interrupted_by(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Let signals end things as Ctrl-C does, by KeyboardInterrupt; outside the main thread nothing is changed."""
    try:
        before = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
