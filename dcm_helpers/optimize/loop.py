"""The one loop: optimize the contents of many problems at once through a frozen Generator.

Rows of one batch are problems x views, but whatever decides something is per problem: Adam's state, step count,
learning rate, gradient clip, best content, stop. A problem's result does not depend on its neighbors, but for the term
`relations`, which compares what is in flight. Each turn of the loop measures, then decides, then steps, so what is
stored is always a content whose loss was measured.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Event

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.optimize.attempt import Attempt
from dcm_helpers.optimize.batch import Batch, automatic_size
from dcm_helpers.optimize.objective import require_told
from dcm_helpers.optimize.parameterization import Parameterization
from dcm_helpers.optimize.result import HISTORY_POINTS, Result, ViewResult
from dcm_helpers.optimize.solver import require_solvable
from dcm_helpers.stm import Problem, decode_problems
from dcm_helpers.watch import Progress, thinned

LONGEST_WAIT = 30.0
"""Seconds that what is exact waits for the decoder at most: until then a kill would lose it."""


class ContentOptimizer:
    """Finds, for each problem, one content from which the frozen Generator writes every view's target.

    >>> optimizer = ContentOptimizer(generator, OptimizerConfig(K=8, lr=0.1))
    >>> results = optimizer.optimize(problems)
    """

    def __init__(self, generator: Generator, config: OptimizerConfig, parameterization: Parameterization | None = None):
        """Settings name a parameterization; one that is given takes its place, such as a subspace that was learned."""
        self.generator = generator
        self.config = config
        self.parameterization = parameterization
        self.set_aside: dict[str, str] = {}
        """No problem is given up here."""

    def optimize(
        self,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
    ) -> list[Result]:
        """Optimize all problems and return their results in the order given; see :meth:`iterate`."""
        results = {result.problem.id: result for result in self.iterate(problems, on_step, stop)}
        return [results[problem.id] for problem in problems if problem.id in results]

    def iterate(
        self,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
        then: Callable[[Result], Sequence[Problem]] | None = None,
    ) -> Iterator[Result]:
        """Yield each problem's result as it is finished, easy ones first.

        Args:     on_step  called after every step;  stop  once set, nothing new is stepped: what has ended is confirmed
                  and yielded, and the rest, in the middle of a step, too, is left unfinished;  then  what a result
                  leads to, asked once it was taken: problems that are begun next, and may have its id
        Raises:   InputError before any work on them if ids repeat, a row does not fit the Generator's window, or a
                  problem does not bring what a term compares with
        """
        unfinished: set[str] = set()
        waiting = deque(self._first_attempts(problems, unfinished))
        ended: list[Attempt] = []
        records: dict[str, _Record] = {}
        size = self.config.batch_size or automatic_size(self.generator, problems, self.config)
        company, alone = max(1, min(size, len(problems)) // 2), time.perf_counter()
        batch = Batch(self.generator, self.config, size, self.parameterization)
        progress = Progress(work=batch.work)
        while waiting or batch.attempts or ended:
            batch.admit(waiting)
            started = time.perf_counter()
            stopping = not batch.measure(stop) or (stop is not None and stop.is_set())
            if not stopping:
                elapsed = time.perf_counter() - started
                for attempt in batch.attempts:
                    attempt.seconds += elapsed / len(batch.attempts)
                ended += batch.release_ended()
                batch.update()
            # decoding costs about the same for one row and for many, so it waits for company, for long, or for the end
            alone = time.perf_counter() if not ended else alone
            enough = len(ended) >= company or time.perf_counter() - alone > LONGEST_WAIT
            if ended and (stopping or enough or not (batch.attempts or waiting)):
                for result in self._settle(ended, waiting, records):
                    progress.done += 1
                    progress.reconstructed += result.reconstructed
                    unfinished.remove(result.problem.id)
                    yield result
                    if then is not None:
                        waiting.extendleft(reversed(self._first_attempts(then(result), unfinished)))
                ended = []
            if on_step is not None:
                progress.in_flight, progress.contents = batch.attempts, batch.contents
                on_step(progress)
            if stopping:
                return

    def _first_attempts(self, problems: Sequence[Problem], unfinished: set[str]) -> list[Attempt]:
        """The first attempt of each problem, whose ids are added to those of unfinished ones.

        Raises:   InputError if one cannot be solved, or has the id of another that is not finished
        """
        require_solvable(self.generator, problems, self.config.K)
        require_told(problems, self.config)
        again = sorted(unfinished & {problem.id for problem in problems})
        require(not again, f"{again[:3]} are being optimized already; expected an id of its own for each problem")
        unfinished.update(problem.id for problem in problems)
        return [Attempt(problem, 0, self.config) for problem in problems]

    def _settle(self, ended: list[Attempt], waiting: deque[Attempt], records: dict[str, "_Record"]) -> Iterator[Result]:
        """Confirm ended attempts with the decoder; send back or restart those that fell short, yield the rest."""
        successes = [attempt for attempt in ended if attempt.succeeded]
        failures = [attempt for attempt in ended if not attempt.succeeded]
        for attempt, decoded in zip(successes, self._decode(successes), strict=True):
            if all(view.is_written(ids) for view, ids in zip(attempt.problem.views, decoded, strict=True)):
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
        self.tried = self.steps = 0
        self.seconds = 0.0
        self.best: Attempt | None = None
        """The attempt with the best content; the earlier one where two are equal."""

    def add(self, attempt: Attempt) -> None:
        """Take in an attempt that has ended for good; of all but the best, only figures are kept."""
        attempt.state, attempt.oracle, attempt.said = {"best": attempt.state["best"]}, {}, []
        self.tried += 1
        self.steps += attempt.step
        self.seconds += attempt.seconds
        if self.best is None or attempt.best.beats(self.best.best):
            self.best = attempt

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
            steps_to_exact=attempt.steps_to_exact,
            penalty=attempt.best.penalty,
            terms=dict(attempt.best.terms),
            restart=attempt.restart,
            restarts_tried=self.tried,
            steps_total=self.steps,
            seconds=self.seconds,
            history=thinned(attempt.history, HISTORY_POINTS),
        )
