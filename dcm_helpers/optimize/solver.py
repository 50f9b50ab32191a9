"""What a solver is: it finds contents and reports how far it is; and how a terminal shows that, and stops it."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from tqdm import tqdm

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.generator import Generator
from dcm_helpers.optimize.attempt import Attempt
from dcm_helpers.optimize.result import Result
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Problem

TERMINAL_SECONDS = 0.2
LOG_SECONDS = 30
"""In a file, a line now and then is enough."""


@dataclass
class Work:
    """What has been computed, summed over all steps."""

    evaluations: int = 0
    """Forward and backward passes of one problem, all its views: one more than its updates."""
    updates: int = 0
    positions: int = 0
    """Positions that were computed, padding left out."""
    padding: int = 0
    """Positions that were computed for nothing."""
    target_tokens: int = 0
    slots: int = 0
    """Slots of the batch, over the steps after which problems were still waiting for one."""
    busy_slots: int = 0
    """Of these slots, those that held a problem."""


@dataclass
class Progress:
    """How far a call has come; handed to ``on_step`` after every step."""

    done: int = 0
    reconstructed: int = 0
    work: Work = field(default_factory=Work)
    in_flight: Sequence[Attempt] = ()
    """What is being optimized now, to be read only."""
    contents: Contents | None = None
    """Their contents after the step, in the same order."""


class Solver(Protocol):
    """What finds contents. A stage is handed one, and so is whatever else needs contents found."""

    def iterate(
        self,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
    ) -> Iterator[Result]:
        """Yield each problem's result as it is finished; once ``stop`` is set, end with what is done."""


MakeSolver = Callable[[Generator, OptimizerConfig], Solver]
"""Makes the solver of some settings, as :class:`dcm_helpers.optimize.ContentOptimizer` does when it is called."""


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
