"""Where a report is: on a terminal a line that moves every second, in a log file one line for each notebook."""

import sys
import threading
import time

from tqdm import tqdm

TICK_SECONDS = 1.0


class NotebookLine:
    """Says which notebook and which cell are being executed, and for how long. A context manager.

    >>> with NotebookLine(total=8) as line:
    ...     line.begin("04_loss_landscape")
    ...     line.at(12, 27)
    ...     line.end("finished")
    """

    def __init__(self, total: int):
        self._bar = tqdm(
            total=total,
            bar_format="{n_fmt} of {total_fmt} |{bar:16}| {desc}",
            disable=not sys.stderr.isatty(),
            leave=False,
        )
        self._what, self._cell, self._began = "", "", time.monotonic()
        self._over = threading.Event()
        self._ticking = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> "NotebookLine":
        if not self._bar.disable:
            self._ticking.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        if self._ticking.is_alive():
            self._ticking.join()
        self._bar.close()

    def begin(self, what: str) -> None:
        """Something new begins, such as a notebook."""
        self._what, self._cell, self._began = what, "", time.monotonic()
        self._show()

    def at(self, cell: int, cells: int) -> None:
        """A cell begins."""
        self._cell = f", cell {cell} of {cells}"
        self._show()

    def end(self, how: str) -> None:
        """What was begun has ended; a line stays that says how."""
        tqdm.write(f"{self._what}: {how}, {time.monotonic() - self._began:.0f} s", file=sys.stderr)
        self._bar.update()

    def _show(self) -> None:
        self._bar.set_description_str(f"{self._what}{self._cell}, {time.monotonic() - self._began:.0f} s")

    def _tick(self) -> None:
        while not self._over.wait(TICK_SECONDS):
            self._show()
