"""What the place where one watches has: a line in a terminal, a board in a notebook. And stopping, by signals."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

from dcm_helpers.shell import ENDING
from dcm_helpers.watch.board import Board
from dcm_helpers.watch.line import ProgressLine
from dcm_helpers.watch.live import Wire, in_notebook

SIGNALS = (signal.SIGINT, *ENDING)


@contextlib.contextmanager
def follow(
    title: str, problems: Sequence[str], known: Mapping[str, bool] | None = None, wire: Wire | None = None
) -> Iterator[ProgressLine | Board]:
    """Show how far some problems are, while a ``with`` block works on them.

    Args:     problems  their ids;  known  of those that had ended before: whether they were reconstructed;  wire  that
              hears a stop button; without one there is no button
    Returns:  something to ``show`` the optimizer's progress to, and to tell which problem has ``finished``
    """
    known = known or {}
    if in_notebook():
        board = Board(title, problems, known, wire)
        try:
            yield board
        finally:
            board.close()
    else:
        with ProgressLine(title, len(problems), len(known), sum(known.values())) as line:
            yield line


@contextlib.contextmanager
def stopping_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM, SIGHUP or an interrupted kernel set ``stop``, to end with what is done; twice ends at once.

    Only the main thread can handle signals; in another one nothing is changed.
    """

    def handler(number: int, _frame: object) -> None:
        if not in_notebook():  # there the board says so
            print("\nStopping; what is done is kept. Interrupt again to end at once.", file=sys.stderr)
        stop.set()
        for each in SIGNALS:
            signal.signal(each, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
