"""What a solver is: it finds contents, and reports how far it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.generator import Generator
from dcm_helpers.optimize.attempt import Attempt
from dcm_helpers.optimize.result import Result
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Problem


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
