"""The terminal's progress line, which in a file is a line every so often."""

import sys
from collections import Counter
from typing import TextIO

from tqdm import tqdm

from dcm_helpers.watch.progress import Ended, Progress

TERMINAL_SECONDS = 0.2
LINE = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
"""What moves comes first: terminals of 80 columns cut the end."""
LOG_SECONDS = 30
"""In a file, a line now and then is enough."""


class Log:
    """A file that gets lines where a terminal would get one that is drawn over and over."""

    def __init__(self, file: TextIO):
        self._file = file

    def write(self, text: str) -> None:
        """Write what is to be seen as a line."""
        if line := text.strip():
            self._file.write(f"{line}\n")

    def flush(self) -> None:
        """Let it be seen now."""
        self._file.flush()


class ProgressLine(tqdm):
    """A tqdm line that can be fed from the optimizer.

    Args:     total  how many problems there are;  done, reconstructed  of these, how many were so before
    """

    def __init__(self, title: str, total: int, done: int = 0, reconstructed: int = 0):
        self._reconstructed = reconstructed
        terminal = sys.stderr.isatty()
        interval = TERMINAL_SECONDS if terminal else LOG_SECONDS
        super().__init__(
            desc=title,
            total=total,
            initial=done,
            file=sys.stderr if terminal else Log(sys.stderr),
            bar_format=f"{LINE} {{bar}}" if terminal else LINE,
            mininterval=interval,
            maxinterval=interval,
            miniters=0,
            smoothing=0,  # results come in bursts; the average pace predicts best
            dynamic_ncols=terminal,
        )

    def show(self, progress: Progress) -> None:
        """Redraw, at most every so often, from where the optimizer is."""
        parts = [f"{progress.tokens_right:.0%} of tokens right"] if progress.in_flight else []
        if seconds := self.format_dict["elapsed"]:
            parts.append(f"{progress.work.updates / seconds:.1f} steps/s")
        parts.append(f"{self._reconstructed} reconstructed")
        if progress.workers:
            states = Counter(worker.state for worker in progress.workers)
            parts.append(f"workers: {', '.join(f'{count} {state}' for state, count in states.items())}")
        self.set_postfix_str(", ".join(parts), refresh=False)
        self.update(0)

    def finished(self, problem: str, reconstructed: bool, result: Ended | None = None) -> None:
        """Count a problem that has ended."""
        self._reconstructed += reconstructed
        self.update()
