"""The attempts in flight: their state on the device, measured together and updated together.

Rows are problems x views, but whatever decides something is per attempt: Adam's state, step count, learning rate,
gradient clip, best content, end. A step costs the host one transfer from the device.
"""

from collections import deque
from collections.abc import Sequence
from threading import Event

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.generator import Generator
from dcm_helpers.objective import Seen, heard, term_function, with_own_words
from dcm_helpers.optimize.adam import adam_state, adam_update, clipped, to_device
from dcm_helpers.optimize.attempt import Attempt
from dcm_helpers.optimize.measurement import Measurement
from dcm_helpers.optimize.objective import (
    added_terms,
    asks_oracle,
    counted_loss,
    meanings_of,
    oracle_of,
    terms_of,
)
from dcm_helpers.optimize.parameterization import PARAMETERIZATIONS, Parameterization
from dcm_helpers.shapes import Contents, Float, Logits, Tensor
from dcm_helpers.stm import (
    Layout,
    Problem,
    Row,
    Scores,
    each_group,
    groups_by_length,
    initial_content,
    lay_out,
    scored,
    target_logits,
    view_rows,
    view_weights,
)
from dcm_helpers.watch import Work

GROUPS_PER_STEP = 4
"""A batch of automatic size fills about this many groups."""
COUPLED = 16
"""Problems in flight where a term compares them with each other: no machine's pace may decide what is minimized."""


def automatic_size(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig) -> int:
    """How many problems to have in flight: enough for a few full groups of rows."""
    if dict(config.terms).get("relations"):
        return COUPLED
    rows = view_rows(generator, problems)
    if not rows:
        return 1
    per_problem = sum(row.length(config.K) for row in rows) / len(problems)
    return max(1, round(GROUPS_PER_STEP * generator.positions_at_once / per_problem))


class Interrupted(Exception):
    """A step was stopped on the way."""


class Batch:
    """The attempts in flight. Entry b of every tensor, contents (B, K, D) or what stands for them, is attempt b's."""

    NAMES = ("start", "latent", "exp_avg", "exp_avg_sq", "best")

    def __init__(
        self,
        generator: Generator,
        config: OptimizerConfig,
        size: int,
        parameterization: Parameterization | None = None,
    ):
        self.generator = generator
        self.config = config
        self.parameterization = parameterization or PARAMETERIZATIONS[config.parameterization]()
        self.size = size
        self.work = Work()
        self.attempts: list[Attempt] = []
        self.state: dict[str, Contents] = {}
        self.gradient: Contents | None = None
        self._most = generator.positions_at_once
        self._rows: list[Row] = []
        self._groups: list[list[int]] = []
        self._weights: list[float] = []
        self._pulls: list[float] = []
        self._speakers: list[tuple[Attempt, int]] = []
        self._meanings: Float[Tensor, "B E"] | None = None
        self._layouts: dict[tuple[int, ...], tuple[Layout, Float[Tensor, " N"]]] = {}

    def admit(self, waiting: deque[Attempt]) -> None:
        """Fill free places from the front of the queue."""
        newcomers = [waiting.popleft() for _ in range(min(len(waiting), self.size - len(self.attempts)))]
        for attempt in newcomers:
            if not attempt.state:
                content = initial_content(
                    self.generator, attempt.problem, self.config.K, self.config.start, self.config.seed, attempt.restart
                )
                (latent,) = self.parameterization.latents(content[None])
                attempt.state = {"start": content, "best": content, **adam_state(latent)}
        if newcomers:
            for name in self.NAMES:
                stays = [self.state[name]] if self.attempts else []
                self.state[name] = torch.cat([*stays, torch.stack([attempt.state[name] for attempt in newcomers])])
            for attempt in newcomers:
                attempt.state = {}
            self.attempts += newcomers
            self._rows = []
        if waiting:
            self.work.places += self.size
            self.work.busy_places += len(self.attempts)

    def release_ended(self) -> list[Attempt]:
        """Take the attempts that have a reason to end out of the batch, with their state; nothing moves them again."""
        ended = [place for place, attempt in enumerate(self.attempts) if attempt.reason is not None]
        if not ended:
            return []
        for place in ended:
            self.attempts[place].state = {name: self.state[name][place].clone() for name in self.NAMES}
        released = [self.attempts[place] for place in ended]
        stay = [place for place, attempt in enumerate(self.attempts) if attempt.reason is None]
        self.attempts = [self.attempts[place] for place in stay]
        self.state = {name: tensor[stay] for name, tensor in self.state.items()}
        self.gradient = self.gradient[stay]
        self._rows = []
        return released

    def measure(self, stop: Event | None = None) -> bool:
        """Measure every content in every view, with gradients; each attempt decides whether it has ended.

        Args:     stop  looked at before every group of rows, since a whole step can take seconds
        Returns:  False if it was stopped on the way: then nothing was measured
        Raises:   torch.OutOfMemoryError if a single row does not fit the device
        """
        if not self.attempts:
            return True
        if not self._rows:
            problems = [attempt.problem for attempt in self.attempts]
            self._rows = view_rows(self.generator, problems)
            self._weights = [weight for problem in problems for weight in view_weights(problem, self.config.weighting)]
            self._pulls = [weight for problem in problems for weight in view_weights(problem, "view")]
            self._groups = groups_by_length(self._rows, self.config.K, self._most)
            self._layouts = {}
            self._meanings = meanings_of(problems, self.config, self.generator)
            self._speakers = [(each, view) for each in self.attempts for view in range(len(each.problem.views))]
        self.gradient = torch.zeros_like(self.state["latent"])

        def measure_group(group: list[int]) -> tuple:
            if stop is not None and stop.is_set():
                raise Interrupted
            return self._measure_group(group)

        try:
            measured = list(each_group(self._groups, measure_group))
        except Interrupted:
            return False
        if len(measured) > len(self._groups):  # some did not fit
            self._most //= 2
        self._groups = [group for group, _ in measured]
        # the step's only transfer to the host, but for terms
        columns = torch.cat([columns for _, (columns, _) in measured], dim=1).T.tolist()
        measurements = [
            (Measurement(*numbers, teacher_forced_exact=bool(exact)), counted) for *numbers, exact, counted in columns
        ]
        names, added = terms_of(self.config, "added"), torch.stack([values for _, (_, values) in measured]).sum(0)
        by_row = dict(zip([index for group in self._groups for index in group], measurements, strict=True))
        in_order = iter(by_row[index] for index in range(len(self._rows)))
        improved = []
        for attempt, values in zip(self.attempts, added.T.tolist(), strict=True):
            told = [next(in_order) for _ in attempt.problem.views]
            terms = dict(zip(names, values, strict=True))
            improved.append(attempt.measure(tuple(view for view, _ in told), terms, [loss for _, loss in told]))
        keep = to_device(torch.tensor(improved), self.generator.device)[:, None, None]
        self.state["best"] = torch.where(keep, self.contents, self.state["best"])
        self.work.evaluations += len(self.attempts)
        return True

    @property
    def contents(self) -> Contents | None:
        """The contents that the latents stand for now; None while nothing was ever in flight."""
        return self.parameterization.contents(self.state["latent"], self.state["start"]) if self.state else None

    def _read(self, contents: Contents) -> Contents:
        """Contents as the Generator reads them at this step."""
        for name, value in terms_of(self.config, "read").items():
            contents = term_function(name)(contents, value, [attempt.place for attempt in self.attempts])
        return contents

    def _hear(self, group: list[int], layout: Layout) -> Layout:
        """The group as it is read at this step: with the Generator's own words where they take the target's place."""
        for name, value in terms_of(self.config, "heard").items():
            speakers = [self._speakers[row] for row in group]
            said = [attempt.said[view] if attempt.said else None for attempt, view in speakers]
            places = [(f"{attempt.problem.id}/{view}", *attempt.place[1:]) for attempt, view in speakers]
            shares = [term_function(name)(attempt.step, value) for attempt, _ in speakers]
            chosen = heard(said, layout.target_mask, places, shares)
            words = layout.target_ids.clone()
            for row, ids in enumerate(said):
                if ids is not None:
                    words[row, : len(ids)] = ids
            layout = with_own_words(self.generator, layout, words, chosen)
        return layout

    def _measure_group(self, group: list[int]) -> tuple[Float[Tensor, "7 N"], Float[Tensor, "added B"]]:
        """Measure some rows and add their gradients.

        Terms that change what is read change what gradients are taken of, and nothing else: what is measured, and
        decides, is the content as it is kept, read with the target's own words.

        Returns:  row by row the fields of :class:`Measurement`, and the loss as its tokens count; and the terms beside
                  cross-entropy, as far as these rows tell
        """
        key = tuple(group)
        if key not in self._layouts:
            layout = lay_out(self.generator, [self._rows[index] for index in group], self.config.K)
            weights = torch.tensor([self._weights[index] for index in group], dtype=self.gradient.dtype)
            self._layouts[key] = layout, to_device(weights, self.generator.device)
        layout, weights = self._layouts[key]
        latents = self.state["latent"].detach().requires_grad_()
        contents = self.parameterization.contents(latents, self.state["start"])
        read, heard = self._read(contents), self._hear(group, layout)
        logits = target_logits(self.generator, heard, read)
        scores, counted, added = self._told(group, layout, read, logits)
        objective = (weights * counted).sum()
        for number, value in zip(terms_of(self.config, "added").values(), added.sum(1), strict=True):
            objective = objective + number * value
        (gradient,) = torch.autograd.grad(objective, latents)
        self.gradient += gradient
        if terms_of(self.config, "heard"):
            self._remember(group, layout, logits)
        if terms_of(self.config, "heard") or terms_of(self.config, "read"):
            with torch.no_grad():
                logits = target_logits(self.generator, layout, contents)
                scores, counted, added = self._told(group, layout, contents, logits)
        positions = sum(self._rows[index].length(self.config.K) for index in group)
        self.work.positions += positions
        self.work.padding += layout.attention_mask.numel() - positions
        self.work.target_tokens += len(layout.target_rows)
        columns = (
            *(scores.loss, scores.loss_text, scores.p_eos, scores.min_p),
            *(scores.tokens_right, scores.teacher_forced_exact, counted),
        )
        numbers = torch.stack([column.detach().to(scores.nll.dtype) for column in columns])
        return numbers, added.detach()

    def _told(
        self, group: list[int], layout: Layout, contents: Contents, logits: Logits
    ) -> tuple[Scores, Float[Tensor, " N"], Float[Tensor, "added B"]]:
        """What some rows' predictions say: their scores, the loss as its tokens count, and the added terms."""
        oracle = self._oracle(group, logits) if asks_oracle(self.config) else None
        pulls = [self._pulls[index] for index in group]
        seen = Seen(self.generator, layout, contents, self.state["start"], logits, self._meanings, oracle, pulls)
        scores = scored(logits, layout)
        return scores, counted_loss(self.config, seen, scores), added_terms(self.config, seen)

    def _oracle(self, group: list[int], logits: Logits) -> Float[Tensor, "M W"]:
        """What the oracle predicts at the group's target tokens; asked once of each view while its attempt is here."""
        told = []
        for attempt, index in [self._speakers[row] for row in group]:
            view = attempt.problem.views[index]
            if not view.oracle_ids:
                told.append(torch.zeros(len(view.target_ids), logits.shape[1], device=logits.device))
                continue
            if index not in attempt.oracle:
                attempt.oracle[index] = oracle_of(self.generator, view)
            told.append(attempt.oracle[index])
        return torch.cat(told)

    def _remember(self, group: list[int], layout: Layout, logits: Logits) -> None:
        """Keep what the Generator would say at each target place, to be read at the next step."""
        words = logits.detach().argmax(-1).split(layout.target_mask.sum(1).tolist())
        for row, ids in zip(group, words, strict=True):
            attempt, view = self._speakers[row]
            attempt.said = attempt.said or [None] * len(attempt.problem.views)
            attempt.said[view] = ids

    def update(self) -> None:
        """One step of Adam on every latent that is left."""
        if not self.attempts:
            return
        gradient = self.gradient
        if self.config.grad_clip is not None:
            gradient = clipped(gradient, self.config.grad_clip)
        counts = torch.tensor([attempt.step + 1 for attempt in self.attempts], dtype=gradient.dtype)
        rates = torch.tensor([self.config.lr_at(attempt.step) for attempt in self.attempts], dtype=gradient.dtype)
        moved = adam_update(self.state, gradient, rates, counts, self.config.beta2)
        self.state["latent"] = self.parameterization.settled(moved, self.state["latent"])
        for attempt in self.attempts:
            attempt.step += 1
        self.work.updates += len(self.attempts)
