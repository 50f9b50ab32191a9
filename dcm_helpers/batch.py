"""The attempts in flight: their state on the device, measured together and updated together.

Rows are problems x views, but whatever decides something is per attempt: Adam's state, step count, learning rate,
gradient clip, best content, end. A step costs the host one transfer from the device.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dcm_helpers.attempts import Attempt, Measurement
from dcm_helpers.config import OptimizerConfig, Weighting
from dcm_helpers.losses import each_group, groups_by_length, score, target_logits
from dcm_helpers.models import Generator
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import Layout, Problem, Row, initial_content, lay_out, view_rows
from dcm_helpers.terms import weighted_terms

BETA1 = 0.9
EPSILON = 1e-8
POSITIONS_PER_GROUP = {"cpu": 512}
"""Rows of one step are computed in groups of at most this many positions, by device type: enough to keep the device's
matrix multiplication busy, and few enough that rows of similar length find each other (see the README)."""
POSITIONS_PER_GROUP_ELSEWHERE = 8192
GROUPS_PER_STEP = 4
"""A batch of automatic size fills about this many groups."""


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


def automatic_size(generator: Generator, problems: Sequence[Problem], K: int) -> int:
    """How many problems to have in flight: enough for a few full groups of rows."""
    rows = view_rows(generator, problems)
    if not rows:
        return 1
    per_problem = sum(row.length(K) for row in rows) / len(problems)
    return max(1, round(GROUPS_PER_STEP * positions_per_group(generator) / per_problem))


def positions_per_group(generator: Generator) -> int:
    """The largest group of rows that is computed at once, in positions."""
    return POSITIONS_PER_GROUP.get(generator.device.type, POSITIONS_PER_GROUP_ELSEWHERE)


def view_weights(problem: Problem, weighting: Weighting) -> list[float]:
    """What each view's loss is multiplied by before gradients are taken; the mean over views is 1."""
    if weighting == "view":
        return [1.0] * len(problem.views)
    lengths = [len(view.target_ids) for view in problem.views]
    return [len(lengths) * length / sum(lengths) for length in lengths]


class Batch:
    """The attempts in flight. Entry b of every tensor, (B, K, D), belongs to attempt b."""

    NAMES = ("content", "exp_avg", "exp_avg_sq", "best")

    def __init__(self, generator: Generator, config: OptimizerConfig, size: int):
        self.generator = generator
        self.config = config
        self.size = size
        self.work = Work()
        self.attempts: list[Attempt] = []
        self.state: dict[str, Contents] = {}
        self.gradient: Contents | None = None
        self._most = positions_per_group(generator)
        self._rows: list[Row] = []
        self._groups: list[list[int]] = []
        self._weights: list[float] = []
        self._layouts: dict[tuple[int, ...], tuple[Layout, Float[Tensor, " N"]]] = {}

    def admit(self, waiting: deque[Attempt]) -> None:
        """Fill free slots from the front of the queue."""
        newcomers = [waiting.popleft() for _ in range(min(len(waiting), self.size - len(self.attempts)))]
        for attempt in newcomers:
            if not attempt.state:
                content = initial_content(
                    self.generator, attempt.problem, self.config.K, self.config.init, self.config.seed, attempt.restart
                )
                zeros = torch.zeros_like(content)
                attempt.state = {"content": content, "exp_avg": zeros, "exp_avg_sq": zeros, "best": content}
        if newcomers:
            for name in self.NAMES:
                stays = [self.state[name]] if self.attempts else []
                self.state[name] = torch.cat([*stays, torch.stack([attempt.state[name] for attempt in newcomers])])
            for attempt in newcomers:
                attempt.state = {}
            self.attempts += newcomers
            self._rows = []
        if waiting:
            self.work.slots += self.size
            self.work.busy_slots += len(self.attempts)

    def release_ended(self) -> list[Attempt]:
        """Take the attempts that have a reason to end out of the batch, with their state; nothing moves them again."""
        ended = [slot for slot, attempt in enumerate(self.attempts) if attempt.reason is not None]
        if not ended:
            return []
        for slot in ended:
            self.attempts[slot].state = {name: self.state[name][slot].clone() for name in self.NAMES}
        released = [self.attempts[slot] for slot in ended]
        stay = [slot for slot, attempt in enumerate(self.attempts) if attempt.reason is None]
        self.attempts = [self.attempts[slot] for slot in stay]
        self.state = {name: tensor[stay] for name, tensor in self.state.items()}
        self.gradient = self.gradient[stay]
        self._rows = []
        return released

    def measure(self) -> None:
        """Measure every content in every view, with gradients; each attempt decides whether it has ended.

        Raises:   torch.OutOfMemoryError if a single row does not fit the device
        """
        if not self.attempts:
            return
        if not self._rows:
            problems = [attempt.problem for attempt in self.attempts]
            self._rows = view_rows(self.generator, problems)
            self._weights = [weight for problem in problems for weight in view_weights(problem, self.config.weighting)]
            self._groups = groups_by_length(self._rows, self.config.K, self._most)
            self._layouts = {}
        self.gradient = torch.zeros_like(self.state["content"])
        measured = list(each_group(self._groups, self._measure_group))
        if len(measured) > len(self._groups):  # some did not fit
            self._most //= 2
        self._groups = [group for group, _ in measured]
        # the step's only transfer to the host
        columns = torch.cat([columns for _, columns in measured], dim=1).T.tolist()
        measurements = [Measurement(*numbers, exact=bool(exact)) for *numbers, exact in columns]
        by_row = dict(zip([index for group in self._groups for index in group], measurements, strict=True))
        in_order = iter(by_row[index] for index in range(len(self._rows)))
        improved = [
            attempt.measure(tuple(next(in_order) for _ in attempt.problem.views), penalty)
            for attempt, penalty in zip(self.attempts, self._measure_terms(), strict=True)
        ]
        keep = self._to_device(torch.tensor(improved))[:, None, None]
        self.state["best"] = torch.where(keep, self.state["content"], self.state["best"])
        self.work.evaluations += len(self.attempts)

    def _measure_terms(self) -> list[float]:
        """Measure the weighted terms beside cross-entropy, one number a content, and add their gradients."""
        contents = self.state["content"].detach().requires_grad_()
        penalty = weighted_terms(self.generator, contents, self.config)
        if penalty is None:
            return [0.0] * len(self.attempts)
        (gradient,) = torch.autograd.grad(penalty.sum(), contents)
        self.gradient += gradient
        return penalty.tolist()

    def _measure_group(self, group: list[int]) -> Float[Tensor, "5 N"]:
        """Measure some rows, in the order of :class:`Measurement`'s fields, and add their gradients."""
        key = tuple(group)
        if key not in self._layouts:
            layout = lay_out(self.generator, [self._rows[index] for index in group], self.config.K)
            weights = torch.tensor([self._weights[index] for index in group], dtype=self.gradient.dtype)
            self._layouts[key] = layout, self._to_device(weights)
        layout, weights = self._layouts[key]
        contents = self.state["content"].detach().requires_grad_()
        scores = score(target_logits(self.generator, layout, contents), layout)
        (gradient,) = torch.autograd.grad((weights * scores.loss).sum(), contents)
        self.gradient += gradient
        positions = sum(self._rows[index].length(self.config.K) for index in group)
        self.work.positions += positions
        self.work.padding += layout.attention_mask.numel() - positions
        self.work.target_tokens += len(layout.target_rows)
        columns = (scores.loss, scores.loss_text, scores.p_eos, scores.min_p, scores.exact)
        return torch.stack([column.detach().to(scores.nll.dtype) for column in columns])

    def update(self) -> None:
        """One step of Adam (Kingma and Ba, 2015) on every content that is left, each with its own step count."""
        if not self.attempts:
            return
        gradient = self.gradient
        if self.config.grad_clip is not None:
            norm = gradient.flatten(1).norm(dim=1)
            gradient = gradient * (self.config.grad_clip / norm.clamp(min=self.config.grad_clip))[:, None, None]
        beta2 = self.config.beta2
        counts = torch.tensor([attempt.step + 1 for attempt in self.attempts], dtype=gradient.dtype)
        rates = torch.tensor([self.config.lr_at(attempt.step) for attempt in self.attempts], dtype=gradient.dtype)
        factors = torch.stack([rates / (1 - BETA1**counts), (1 - beta2**counts).sqrt()])
        size, correction = self._to_device(factors)[:, :, None, None]
        self.state["exp_avg"].lerp_(gradient, 1 - BETA1)
        self.state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        denominator = self.state["exp_avg_sq"].sqrt() / correction + EPSILON
        moved = self.state["content"] - size * self.state["exp_avg"] / denominator
        if self.config.hold_norm:
            moved *= self.state["content"].norm(dim=2, keepdim=True) / moved.norm(dim=2, keepdim=True)
        self.state["content"] = moved
        for attempt in self.attempts:
            attempt.step += 1
        self.work.updates += len(self.attempts)

    def _to_device(self, values: Tensor) -> Tensor:
        """A small tensor on the Generator's device; on a GPU, without waiting for it."""
        if self.generator.device.type == "cuda":
            values = values.pin_memory()
        return values.to(self.generator.device, non_blocking=True)
