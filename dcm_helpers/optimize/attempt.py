"""One attempt at a problem: what was measured, which content was best, and when to end.

An attempt is one restart of one problem. The decisions here use numbers already on the host; nothing in this module
touches the Generator.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from dcm_helpers.config import CONFIDENCE, IMPROVEMENT, PLATEAU_STEPS, STALL_STEPS, OptimizerConfig
from dcm_helpers.optimize.measurement import Measurement, StopReason
from dcm_helpers.shapes import Tensor
from dcm_helpers.stm import Problem, view_weights

NONE: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Best:
    """The best content that was measured, with the measurement that belongs to it."""

    views: tuple[Measurement, ...]
    step: int
    """Updates made before this content was measured."""
    meets_rule: bool = False
    contradicted: bool = False
    """Whether the decoder did not write what is exact under teacher forcing."""
    minimized: float | None = None
    """The sum of the views' losses as their tokens and views count; None where that is the plain sum."""
    penalty: float = 0.0
    """The weighted sum of its terms."""
    terms: Mapping[str, float] = field(default_factory=dict)
    """Terms beside cross-entropy, by name, without their weights."""

    @property
    def loss(self) -> float:
        """Sum of the views' losses."""
        return sum(view.loss for view in self.views)

    @property
    def objective(self) -> float:
        """What contents are compared by: the views' losses, as their tokens and views count, and the weighted terms."""
        return (self.loss if self.minimized is None else self.minimized) + self.penalty

    @property
    def teacher_forced_exact(self) -> bool:
        """Whether every view is exact under teacher forcing."""
        return all(view.teacher_forced_exact for view in self.views)

    def beats(self, other: "Best | None") -> bool:
        """Meeting the stop rule comes first, then being exact, if the decoder does not deny it, then the objective."""
        if other is None:
            return True
        return self._rank > other._rank

    @property
    def _rank(self) -> tuple[bool, bool, float]:
        return (
            self.meets_rule,
            self.teacher_forced_exact and not self.contradicted,
            -self.objective if math.isfinite(self.objective) else -math.inf,
        )


@dataclass
class Attempt:
    """One restart of one problem, in flight or waiting."""

    problem: Problem
    restart: int
    config: OptimizerConfig
    step: int = 0
    """Updates made so far."""
    seconds: float = 0.0
    """Its share of the time spent in forward and backward passes."""
    must_be_confident: bool = False
    """Set when the decoder contradicted an exact content: only a confident one will do."""
    best: Best | None = None
    steps_to_exact: int | None = None
    """Updates made before the first content that was exact in every view."""
    reason: StopReason | None = None
    history: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)
    """(step, loss of each view) at every measurement."""
    said: list[Tensor | None] = field(default_factory=list)
    """The most probable tokens at each view's target places, where they are to be read at the next step."""
    oracle: dict[int, Tensor] = field(default_factory=dict)
    """By view, what the Generator predicts after its oracle's prompt, where a term compares with it."""
    latest: tuple[Measurement, ...] = ()
    """What was measured last, view by view."""
    state: dict[str, Tensor] = field(default_factory=dict)
    """What the batch holds of it (latent, Adam's averages, best content) while the attempt is out of the batch."""
    _reference: tuple[int, float] = (0, math.inf)
    """The last step at which the best objective had improved enough, and that objective."""
    _contradicted_at: int | None = None
    """The step whose content the decoder contradicted; going on, it is measured once more."""

    def measure(
        self,
        views: tuple[Measurement, ...],
        terms: Mapping[str, float] = NONE,
        counted: Sequence[float] | None = None,
    ) -> bool:
        """Take in the measurement of the current content and decide whether to end (``reason``).

        Args:     terms  those beside cross-entropy, without their weights, at the current content;  counted  the
                  views' losses as their tokens count; None takes the plain ones
        Returns:  whether this content is the best so far and must be kept
        """
        weights = dict(self.config.terms)
        penalty = sum(weights[name] * value for name, value in terms.items())
        losses = [view.loss for view in views] if counted is None else counted
        pulls = view_weights(self.problem, "view")
        minimized = sum(pull * loss for pull, loss in zip(pulls, losses, strict=True))
        denied = self.step == self._contradicted_at
        now = Best(views, self.step, contradicted=denied, minimized=minimized, penalty=penalty, terms=terms)
        self.latest = views
        self.history.append((self.step, tuple(view.loss for view in views)))
        if not math.isfinite(now.objective):
            self.reason = StopReason.NON_FINITE
            self.best = self.best or now
            return False
        if now.teacher_forced_exact and self.steps_to_exact is None:
            self.steps_to_exact = self.step
        if now.objective < self._reference[1] * (1 - IMPROVEMENT):
            self._reference = (self.step, now.objective)
        met = self._rule_met_by(now)
        if met is not None:
            now = replace(now, meets_rule=True)
        is_best = now.beats(self.best)
        if is_best:
            self.best = now
        self.reason = met or self._reason_to_end()
        return is_best

    def _rule_met_by(self, now: Best) -> StopReason | None:
        """Which stop rule the current content meets by itself."""
        if self.config.stop_rule == "minimize" or not self._qualifies(now):
            return None
        return StopReason.CONFIDENT if self._confidence_needed else StopReason.EXACT

    def _reason_to_end(self) -> StopReason | None:
        """Reasons that look back: the loss has leveled out, or the steps are spent."""
        idle = self.step - self._reference[0]
        if self.config.stop_rule == "minimize" and idle >= PLATEAU_STEPS and self._qualifies(self.best):
            return StopReason.MINIMIZED
        if idle >= STALL_STEPS and not self.best.teacher_forced_exact:
            return StopReason.STALLED
        return StopReason.STEPS_SPENT if self.step >= self.config.num_steps else None

    @property
    def _confidence_needed(self) -> bool:
        return self.must_be_confident or self.config.stop_rule == "confident"

    def _qualifies(self, best: Best) -> bool:
        """Whether a measured content is exact, as confident as needed, and within the thresholds."""
        return best.teacher_forced_exact and all(
            (not self._confidence_needed or view.min_p >= CONFIDENCE)
            and (self.config.eos_threshold is None or view.p_eos >= self.config.eos_threshold)
            and (self.config.loss_threshold is None or view.loss <= self.config.loss_threshold)
            for view in best.views
        )

    @property
    def place(self) -> tuple[str, int, int, int]:
        """What random numbers of a step depend on."""
        return self.problem.id, self.config.seed, self.restart, self.step

    @property
    def succeeded(self) -> bool:
        """Whether the stop rule was met. `minimize` also counts a qualifying content when the steps are spent."""
        if self.reason is StopReason.STEPS_SPENT and self.config.stop_rule == "minimize":
            return self._qualifies(self.best)
        return self.reason in (StopReason.EXACT, StopReason.CONFIDENT, StopReason.MINIMIZED)

    def contradicted(self) -> None:
        """The decoder did not confirm the best content: go on until confident, or give up if it already was."""
        # it no longer counts as meeting the rule, and any other exact content is preferred
        self.best = replace(self.best, meets_rule=False, contradicted=True)
        self._contradicted_at = self.best.step
        if self.must_be_confident or all(view.min_p >= CONFIDENCE for view in self.best.views):
            self.reason = StopReason.UNCONFIRMED
            return
        self.reason = None
        self.must_be_confident = True
        self.history.pop()  # it will be measured again
