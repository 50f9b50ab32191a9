"""The one loop: optimize the contents of many problems at once through a frozen Generator.

Rows of one batch are problems x views, but whatever decides something is per problem: Adam's state, step count,
learning rate, gradient clip, best content, stop. A problem's result does not depend on its neighbors. Each turn of the
loop measures, then decides, then steps, so what is stored is always a content whose loss was measured.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event

import torch

from dcm_helpers.attempts import Attempt, Measurement, Result, ViewResult, thinned
from dcm_helpers.config import OptimizerConfig, require
from dcm_helpers.decoding import decode_problems
from dcm_helpers.losses import POSITIONS_PER_FORWARD, groups_by_length, score, target_logits
from dcm_helpers.models import Generator
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import Layout, Problem, initial_content, lay_out, require_fits, view_rows

BETAS = (0.9, 0.999)
EPSILON = 1e-8
POSITIONS_PER_STEP = {"cpu": 256}
"""Rows of one step are computed in groups of at most this many positions, by device type. Small groups pad less, and on
a CPU they cost nothing (2 cores, SmolLM2, K=8, 16 problems: 0.235 s per problem-step at 256, 0.253 s at 512)."""


@dataclass
class Progress:
    """How far a call has come; handed to ``on_step`` after every step."""

    done: int = 0
    reconstructed: int = 0
    problem_steps: int = 0
    """Updates made, summed over problems."""


class ContentOptimizer:
    """Finds, for each problem, one content from which the frozen Generator writes every view's target.

    >>> optimizer = ContentOptimizer(generator, OptimizerConfig(K=8, lr=0.1))
    >>> results = optimizer.optimize(problems)
    """

    def __init__(self, generator: Generator, config: OptimizerConfig):
        self.generator = generator
        self.config = config

    def optimize(self, problems: Sequence[Problem], **options) -> list[Result]:
        """Optimize all problems and return their results in the order given; see :meth:`iterate` for the options."""
        results = {result.problem.id: result for result in self.iterate(problems, **options)}
        return [results[problem.id] for problem in problems if problem.id in results]

    def iterate(
        self,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
    ) -> Iterator[Result]:
        """Yield each problem's result as it is finished, easy ones first.

        Args:     on_step  called after every step;  stop  once set, nothing new is stepped: what has ended is confirmed
                  and yielded, and the rest is left unfinished
        Raises:   InputError before any work if ids repeat or a row does not fit the Generator's window
        """
        ids = [problem.id for problem in problems]
        require(len(set(ids)) == len(ids), "two problems have the same id; ids must be unique, they seed the starts")
        require_fits(self.generator, problems, self.config.K)
        waiting = deque(Attempt(problem, 0, self.config) for problem in problems)
        ended: list[Attempt] = []
        records: dict[str, _Record] = {}
        batch = _Batch(self.generator, self.config)
        progress = Progress()
        while waiting or batch.attempts or ended:
            stopping = stop is not None and stop.is_set()
            if not stopping:
                started = time.perf_counter()
                batch.admit(waiting)
                batch.measure()
                elapsed = time.perf_counter() - started
                for attempt in batch.attempts:
                    attempt.seconds += elapsed / len(batch.attempts)
                ended += batch.release_ended()
                batch.update()
                progress.problem_steps += len(batch.attempts)
            # decoding costs about the same for one row and for many, so it waits for company
            if ended and (stopping or not batch.attempts or 4 * len(ended) >= self.config.batch_size):
                for result in self._settle(ended, waiting, records):
                    progress.done += 1
                    progress.reconstructed += result.reconstructed
                    yield result
                ended = []
            if on_step is not None:
                on_step(progress)
            if stopping:
                return

    def _settle(self, ended: list[Attempt], waiting: deque[Attempt], records: dict[str, "_Record"]) -> Iterator[Result]:
        """Confirm ended attempts with the decoder; send back or restart those that fell short, yield the rest."""
        successes = [attempt for attempt in ended if attempt.succeeded]
        failures = [attempt for attempt in ended if not attempt.succeeded]
        for attempt, decoded in zip(successes, self._decode(successes), strict=True):
            if decoded == [view.target_ids for view in attempt.problem.views]:
                records.setdefault(attempt.problem.id, _Record()).add(attempt)
                yield records.pop(attempt.problem.id).result(attempt, decoded)
                continue
            attempt.contradicted()
            if attempt.reason is None:
                waiting.appendleft(attempt)
            else:
                failures.append(attempt)
        exhausted: list[Attempt] = []
        for attempt in failures:
            record = records.setdefault(attempt.problem.id, _Record())
            record.add(attempt)
            # from a given start, every restart would go the same way
            if attempt.restart + 1 < self.config.num_restarts and attempt.problem.initial is None:
                waiting.append(Attempt(attempt.problem, attempt.restart + 1, self.config))
            else:
                exhausted.append(record.best)
        for attempt, decoded in zip(exhausted, self._decode(exhausted), strict=True):
            yield records.pop(attempt.problem.id).result(attempt, decoded)

    def _decode(self, attempts: Sequence[Attempt]) -> list[list[tuple[int, ...]]]:
        """What the decoder writes from each attempt's best content, per view."""
        if not attempts:
            return []
        contents = torch.stack([attempt.state["best"] for attempt in attempts])
        problems = [attempt.problem for attempt in attempts]
        return decode_problems(self.generator, problems, contents)


class _Record:
    """What is known of one unfinished problem over all its restarts."""

    def __init__(self):
        self.attempts: list[Attempt] = []

    def add(self, attempt: Attempt) -> None:
        """Take in an attempt that has ended for good; of all but the latest and the best, only figures are kept."""
        attempt.state = {"best": attempt.state["best"]}
        self.attempts.append(attempt)
        best = self.best
        for other in self.attempts[:-1]:
            if other is not best:
                other.state.clear()
                other.history.clear()

    @property
    def best(self) -> Attempt:
        """The attempt with the best content; the earlier one where two are equal."""
        best = self.attempts[0]
        for attempt in self.attempts[1:]:
            if attempt.best.beats(best.best):
                best = attempt
        return best

    def result(self, attempt: Attempt, decoded: list[tuple[int, ...]]) -> Result:
        """The problem's result, with the content of one of its attempts."""
        views = tuple(
            ViewResult(view, measured, ids)
            for view, measured, ids in zip(attempt.problem.views, attempt.best.views, decoded, strict=True)
        )
        return Result(
            problem=attempt.problem,
            content=attempt.state["best"].cpu(),
            views=views,
            stop_reason=attempt.reason,
            steps=attempt.step,
            best_step=attempt.best.step,
            restart=attempt.restart,
            restarts_tried=len(self.attempts),
            steps_total=sum(tried.step for tried in self.attempts),
            seconds=sum(tried.seconds for tried in self.attempts),
            history=thinned(attempt.history),
        )


class _Batch:
    """The attempts in flight. Entry b of every tensor, (B, K, D), belongs to attempt b."""

    NAMES = ("content", "exp_avg", "exp_avg_sq", "best")

    def __init__(self, generator: Generator, config: OptimizerConfig):
        self.generator = generator
        self.config = config
        self.attempts: list[Attempt] = []
        self.state: dict[str, Contents] = {}
        self.gradient: Contents | None = None
        self.positions_per_step = POSITIONS_PER_STEP.get(generator.device.type, POSITIONS_PER_FORWARD)
        self._layouts: list[tuple[list[int], Layout]] = []

    def admit(self, waiting: deque[Attempt]) -> None:
        """Fill free slots from the front of the queue."""
        newcomers = [waiting.popleft() for _ in range(min(len(waiting), self.config.batch_size - len(self.attempts)))]
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
            self._layouts = []

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
        self._layouts = []
        return released

    def measure(self) -> None:
        """Measure every content in every view, with gradients; each attempt decides whether it has ended."""
        if not self.attempts:
            return
        if not self._layouts:
            rows = view_rows(self.generator, [attempt.problem for attempt in self.attempts])
            groups = groups_by_length(rows, self.config.K, self.positions_per_step)
            self._layouts = [
                (group, lay_out(self.generator, [rows[index] for index in group], self.config.K)) for group in groups
            ]
        contents = self.state["content"].detach().requires_grad_()
        measured: list[Float[Tensor, "5 N"]] = []
        for _, layout in self._layouts:
            scores = score(target_logits(self.generator, layout, contents), layout)
            scores.loss.sum().backward()
            columns = (scores.loss, scores.loss_text, scores.p_eos, scores.min_p, scores.exact)
            measured.append(torch.stack([column.detach().to(scores.nll.dtype) for column in columns]))
        self.gradient = contents.grad
        # the step's only transfer to the host
        columns = torch.cat(measured, dim=1).T.tolist()
        measurements = [Measurement(*numbers, exact=bool(exact)) for *numbers, exact in columns]
        by_row = dict(zip([index for group, _ in self._layouts for index in group], measurements, strict=True))
        in_order = iter(by_row[index] for index in sorted(by_row))
        improved = []
        for slot, attempt in enumerate(self.attempts):
            if attempt.measure(tuple(next(in_order) for _ in attempt.problem.views)):
                improved.append(slot)
        self.state["best"][improved] = self.state["content"][improved]

    def update(self) -> None:
        """One step of Adam (Kingma and Ba, 2015) on every content that is left, each with its own step count."""
        if not self.attempts:
            return
        gradient = self.gradient
        if self.config.grad_clip is not None:
            norm = gradient.flatten(1).norm(dim=1)
            gradient = gradient * (self.config.grad_clip / norm.clamp(min=self.config.grad_clip))[:, None, None]
        counts = torch.tensor([attempt.step + 1 for attempt in self.attempts], dtype=gradient.dtype)
        rates = torch.tensor([self.config.lr_at(attempt.step) for attempt in self.attempts], dtype=gradient.dtype)
        size = (rates / (1 - BETAS[0] ** counts))[:, None, None].to(gradient.device)
        correction = (1 - BETAS[1] ** counts).sqrt()[:, None, None].to(gradient.device)
        self.state["exp_avg"].lerp_(gradient, 1 - BETAS[0])
        self.state["exp_avg_sq"].mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        denominator = self.state["exp_avg_sq"].sqrt() / correction + EPSILON
        self.state["content"] -= size * self.state["exp_avg"] / denominator
        for attempt in self.attempts:
            attempt.step += 1
