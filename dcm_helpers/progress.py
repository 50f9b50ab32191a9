"""The progress line of a long computation: problems done, reconstructed, steps per second, time left, on stderr."""

import sys

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
