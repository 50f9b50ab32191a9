"""Where a command's time goes."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

Item = TypeVar("Item")


class Spent(Counter[str]):
    """Seconds, by what they were spent on."""

    @contextlib.contextmanager
    def on(self, what: str) -> Iterator[None]:
        """Count what happens in a ``with`` block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self[what] += time.perf_counter() - started

    def waiting(self, what: str, items: Iterator[Item]) -> Iterator[Item]:
        """Pass items on, and count the time that it takes to make them; what is done with them is not counted."""
        while True:
            with self.on(what):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item
