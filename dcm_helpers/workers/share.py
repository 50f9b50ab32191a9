"""Who gets which problems: pulled in chunks from one queue, so that a slow worker never holds up the rest.

Nothing here knows what a worker is, so that a simulation can stand in for a thousand of them.
"""

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

DEADLY = 3
"""A problem in whose time so many workers died is set aside."""


@dataclass
class Share:
    """The problems of a stage, and who has which.

    Args:     problems  their ids, in the order in which they are given out;  least  problems that are worth a chunk, as
              many as a worker computes at once
    """

    problems: Sequence[str]
    least: int = 1
    given: dict[Hashable, list[str]] = field(default_factory=dict)
    """By worker, the problems that it has not finished."""
    set_aside: dict[str, str] = field(default_factory=dict)
    """Problems that are not tried any more, each with what happened last."""

    def __post_init__(self):
        self._waiting = deque(self.problems)
        self._deaths: dict[str, int] = {}
        self._left = set(self.problems)

    @property
    def done(self) -> bool:
        """Whether nothing is left to be found."""
        return not self._left

    @property
    def waiting(self) -> int:
        """How many problems nobody has."""
        return len(self._waiting)

    def take(self, worker: Hashable, weights: Mapping[Hashable, float]) -> list[str]:
        """The next chunk for a worker: half of its fair part of what waits, so that chunks shrink towards the end.

        A lone worker gets all. A problem in whose time a worker died comes alone, to tell whether it was the cause.

        Args:     weights  of the workers that live
        """
        if not self._waiting:
            return []
        if self._waiting[0] in self._deaths:
            chunk = [self._waiting.popleft()]
        else:
            fair = len(self._waiting) * weights[worker] / sum(weights.values())
            size = len(self._waiting) if len(weights) == 1 else max(self.least, round(fair / 2))
            chunk = []
            while self._waiting and len(chunk) < size and self._waiting[0] not in self._deaths:
                chunk.append(self._waiting.popleft())
        self.given.setdefault(worker, []).extend(chunk)
        return chunk

    def finished(self, worker: Hashable, problem: str) -> bool:
        """Take in a result. Returns False if the problem is not this worker's any more: then the result is a double."""
        if problem not in self.given.get(worker, []):
            return False
        self.given[worker].remove(problem)
        self._left.discard(problem)
        return True

    def back(self, worker: Hashable) -> None:
        """Put what a worker has not finished back, first in line: its job was ended, and nothing was wrong."""
        self._waiting.extendleft(reversed(self.given.pop(worker, [])))

    def died(self, worker: Hashable, message: str) -> None:
        """Put a dead worker's problems back, last in line; those that were there at too many deaths are set aside."""
        for problem in self.given.pop(worker, []):
            self._deaths[problem] = self._deaths.get(problem, 0) + 1
            if self._deaths[problem] >= DEADLY:
                self.set_aside[problem] = message
                self._left.discard(problem)
            else:
                self._waiting.append(problem)
