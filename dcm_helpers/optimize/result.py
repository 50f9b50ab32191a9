"""What comes of a problem: its best content, with everything that was measured about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dcm_helpers.optimize.measurement import Measurement, StopReason
from dcm_helpers.shapes import Content
from dcm_helpers.stm import Problem, View

HISTORY_POINTS = 128
"""Loss curves are thinned to at most this many points."""


@dataclass(frozen=True)
class ViewResult:
    """How one view of a finished problem came out."""

    view: View
    measured: Measurement
    decoded_ids: tuple[int, ...]
    """What greedy decoding wrote, EOS included where it came in time."""

    @property
    def reconstructed(self) -> bool:
        """Whether greedy decoding wrote exactly the target, EOS included."""
        return self.view.is_written(self.decoded_ids)


@dataclass(frozen=True)
class Result:
    """A finished problem: its best content and everything that was measured about it."""

    problem: Problem
    content: Content
    """The content that was measured as best, on the CPU, in the precision it was optimized in."""
    views: tuple[ViewResult, ...]
    stop_reason: StopReason
    steps: int
    """Updates made in the restart that the content comes from."""
    best_step: int
    """Updates made before the stored content was measured."""
    steps_to_exact: int | None
    """Updates made in that restart before the first content that was exact in every view; None if there was none."""
    penalty: float
    """Weighted sum of the terms beside cross-entropy, at the stored content."""
    terms: Mapping[str, float]
    """These terms by name, without their weights."""
    restart: int
    """The restart that the content comes from, counted from 0."""
    restarts_tried: int
    steps_total: int
    """Updates made in all restarts together."""
    seconds: float
    """This problem's share of the time spent in forward and backward passes, over all restarts."""
    history: tuple[tuple[int, tuple[float, ...]], ...]
    """Thinned loss curve of that restart: (step, loss of each view)."""

    @property
    def loss(self) -> float:
        """Sum of the views' losses, in nats per token."""
        return sum(view.measured.loss for view in self.views)

    @property
    def reconstructed(self) -> bool:
        """Whether greedy decoding from the STM gives exactly the target, EOS included, in every view."""
        return all(view.reconstructed for view in self.views)


def result_table(results: Sequence[Result], kind: str = "") -> pd.DataFrame:
    """One row for each result of the optimizer.

    Returns:  columns problem, kind (as given, or the problem's), reconstructed, ended_as, steps (all updates of the
              restart), steps_to_exact (of these, those before its first exact content; empty where there was none),
              restarts, loss (sum over views)
    """
    rows = [
        {
            "problem": result.problem.id,
            "kind": kind or result.problem.kind,
            "reconstructed": result.reconstructed,
            "ended_as": result.stop_reason.value,
            "steps": result.steps,
            "steps_to_exact": result.steps_to_exact,
            "restarts": result.restarts_tried,
            "loss": result.loss,
        }
        for result in results
    ]
    return pd.DataFrame(rows)
