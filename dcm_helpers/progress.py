"""What a person at a terminal sees and does during a long computation: the progress line, and stopping it."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

from tqdm import tqdm

from dcm_helpers.optimizer import Progress

TERMINAL_SECONDS = 0.2
LOG_SECONDS = 30
"""In a file, a line now and then is enough."""


class ProgressLine(tqdm):
    """A tqdm line that can be fed from the optimizer."""

    def __init__(self, title: str, total: int, done: int = 0, reconstructed: int = 0):
        self._done_before, self._reconstructed_before = done, reconstructed
        interval = TERMINAL_SECONDS if sys.stderr.isatty() else LOG_SECONDS
        super().__init__(
            desc=title,
            total=total,
            initial=done,
            unit="problem",
            mininterval=interval,
            maxinterval=interval,
            miniters=0,
            smoothing=0,  # results come in bursts; the average pace predicts best
            dynamic_ncols=True,
        )

    def show(self, progress: Progress) -> None:
        """Redraw, at most every so often, from where the optimizer is."""
        seconds = self.format_dict["elapsed"]
        pace = f", {progress.work.updates / seconds:.1f} steps/s" if seconds else ""
        reconstructed = self._reconstructed_before + progress.reconstructed
        self.set_postfix_str(f"{reconstructed} reconstructed{pace}", refresh=False)
        self.update(self._done_before + progress.done - self.n)


@contextlib.contextmanager
def stopping_on_interrupt(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C (or a notebook's interrupt button) set ``stop``, to end after the current step; again, end at once."""

    def handler(*_) -> None:
        print("\nStopping after this step; interrupt again to end at once.", file=sys.stderr)
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
