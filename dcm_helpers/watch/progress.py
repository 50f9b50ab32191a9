"""How far a solver is, as it tells after every step; and what a watcher may know of what is in flight or has ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Problem

History = Sequence[tuple[int, tuple[float, ...]]]
"""(step, loss of each view in nats per token)."""


class Measured(Protocol):
    """What was measured of one view."""

    tokens_right: float


class InFlight(Protocol):
    """A problem that is being optimized."""

    problem: Problem
    step: int
    history: History
    latest: Sequence[Measured]


class Ended(Protocol):
    """A problem that has ended."""

    problem: Problem
    steps: int
    loss: float
    history: History
    reconstructed: bool


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
    places: int = 0
    """Places of the batch, over the steps after which problems were still waiting for one."""
    busy_places: int = 0
    """Of these places, those that held a problem."""


@dataclass(frozen=True)
class WorkerProgress:
    """How far one of several workers is."""

    name: str
    """Its host and device, as they were typed."""
    device: str
    """What holds its Generator; empty while it is being started."""
    in_flight: int
    """Problems that it was given and has not finished."""
    done: int
    updates: int
    state: str
    """'starting', 'idle', 'working', or 'left out' after it died too often."""


@dataclass
class Progress:
    """How far a call has come; handed to ``on_step`` after every step."""

    done: int = 0
    reconstructed: int = 0
    work: Work = field(default_factory=Work)
    in_flight: Sequence[InFlight] = ()
    """What is being optimized now, to be read only."""
    contents: Contents | None = None
    """Their contents after the step, in the same order."""
    workers: Sequence[WorkerProgress] = ()
    """Where there are several."""

    @property
    def tokens_right(self) -> float:
        """Share of all target tokens in flight that have the largest logit, given the true ones before them."""
        counted = [
            (len(view.target_ids), measured.tokens_right)
            for attempt in self.in_flight
            for view, measured in zip(attempt.problem.views, attempt.latest, strict=False)  # none measured yet: none
        ]
        tokens = sum(length for length, _ in counted)
        return sum(length * share for length, share in counted) / tokens if tokens else 0.0
