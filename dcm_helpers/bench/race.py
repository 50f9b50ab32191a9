"""The whole way to exact reconstruction, on the same pairs: our loop beside the alternatives, each timed end to end."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from dcm_helpers.bench.alternatives import (
    MakeOptimizer,
    Outcome,
    cramming_adamw,
    one_at_a_time,
    peft_adamw,
    peft_prompt_tuning,
    static_batch,
)
from dcm_helpers.bench.speed import flop, needed, peak_gigabytes, seconds_of, shares, starts
from dcm_helpers.config import LEARNED, OptimizerConfig
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import BETA1, ContentOptimizer
from dcm_helpers.stats import Estimate, rate, ratio
from dcm_helpers.stm import Problem
from dcm_helpers.watch import Progress

FEW = 5
"""Steps of few-step writing, as published (GradMem, 2026), whose language model was trained for it."""


@dataclass(frozen=True)
class Race:
    """How one method did on all problems."""

    method: str
    settings: str
    seconds: float
    """Median over repeats."""
    spread: tuple[float, float]
    """Fastest and slowest repeat."""
    solved: tuple[bool, ...]
    """Per problem, whether every view became exact under teacher forcing; ours is also confirmed by the decoder."""
    steps: tuple[int, ...]
    """Per problem, updates before it was solved, or all that were made."""
    evaluations: int
    """Forward and backward passes computed, summed over problems."""
    flop_needed: int
    """FLOP of the evaluations up to the exact one, padding not counted."""
    peak_gigabytes: float
    occupancy: float | None = None
    padding: float | None = None

    def summary(self) -> dict:
        """The figures of a table row."""
        solved = [steps for steps, exact in zip(self.steps, self.solved, strict=True) if exact]
        return {
            "method": self.method,
            "settings": self.settings,
            "seconds": round(self.seconds, 1),
            "seconds_fastest_slowest": [round(seconds, 1) for seconds in self.spread],
            "solved": rate(sum(self.solved), len(self.solved)),
            "steps_mean": round(statistics.mean(solved), 1) if solved else None,
            "steps_median": statistics.median(solved) if solved else None,
            "steps_most": max(solved, default=None),
            "evaluations": self.evaluations,
            "milliseconds_per_evaluation": round(1e3 * self.seconds / self.evaluations, 1),
            "gigaflop_per_second": round(self.flop_needed / self.seconds / 1e9, 1),
            "peak_gigabytes": round(self.peak_gigabytes, 2),
            "occupancy": self.occupancy,
            "padding": self.padding,
        }

    def evaluations_over(self, first: "Race") -> Estimate:
        """Evaluations until exact over those of another method, pair by pair; where there was none, all count."""
        return ratio([steps + 1 for steps in self.steps], [steps + 1 for steps in first.steps])

    def beside(self, first: "Race") -> dict:
        """The figures of a table row, those beside another method's, and the outcomes pair by pair."""
        return {
            **self.summary(),
            "evaluations_over_the_first": dataclasses.asdict(self.evaluations_over(first)),
            "solved_by_pair": self.solved,
            "steps_by_pair": self.steps,
        }

    def told_beside(self, first: "Race") -> str:
        """The figures in words, beside those of the first method."""
        row, beside = self.summary(), self.evaluations_over(first)
        solved, (fastest, slowest) = row["solved"], row["seconds_fastest_slowest"]
        shares = "".join(f", {name} {row[name]:.1%}" for name in ("occupancy", "padding") if row[name] is not None)
        return (
            f"  {self.method} ({self.settings})\n"
            f"    {row['seconds']:.1f} s ({fastest} to {slowest}), {self.seconds / first.seconds:.1f} x the first; "
            f"solved {solved['count']} of {solved['n']} ({solved['low']:.0%} to {solved['high']:.0%}); "
            f"steps mean {row['steps_mean']}, median {row['steps_median']}, most {row['steps_most']}\n"
            f"    evaluations, pair by pair: {beside.text('.2f')} times those of the first\n"
            f"    {row['evaluations']} evaluations at {row['milliseconds_per_evaluation']} ms, "
            f"{row['gigaflop_per_second']:.0f} useful GFLOP/s, peak {row['peak_gigabytes']} GB{shares}"
        )


def race(
    method: str,
    settings: str,
    generator: Generator,
    problems: Sequence[Problem],
    K: int,
    run: Callable[[], dict],
    repeats: int,
) -> Race:
    """Time one method; ``run`` returns the fields of :class:`Race` that only the method knows.

    Outcomes are those of the last repeat; they are the same in all, as far as the device's arithmetic is.
    """
    if generator.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(generator.device)
    fields: dict = {}

    def once() -> None:
        fields.update(run())

    times = seconds_of(generator.device, once, repeats, warm_up=0)
    seconds = statistics.median(times)
    costs = [flop(generator, *needed(generator, [problem], K)) for problem in problems]
    useful = sum(cost * (steps + 1) for cost, steps in zip(costs, fields["steps"], strict=True))
    return Race(
        method=method,
        settings=settings,
        seconds=seconds,
        spread=(min(times), max(times)),
        flop_needed=useful,
        peak_gigabytes=peak_gigabytes(generator),
        **fields,
    )


def run_ours(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig) -> dict:
    """Our loop, decoder's confirmation included."""
    last = Progress()

    def remember(progress: Progress) -> None:
        nonlocal last
        last = progress

    results = ContentOptimizer(generator, config).optimize(problems, on_step=remember)
    return {
        "solved": tuple(result.reconstructed for result in results),
        "steps": tuple(result.steps for result in results),
        "evaluations": last.work.evaluations,
        **shares(last.work),
    }


def of_outcomes(outcomes: Sequence[Outcome]) -> dict:
    """The fields of :class:`Race` from an alternative's outcomes."""
    return {
        "solved": tuple(outcome.teacher_forced_exact for outcome in outcomes),
        "steps": tuple(outcome.steps_to_exact for outcome in outcomes),
        "evaluations": sum(outcome.evaluations for outcome in outcomes),
    }


def run_each(
    method: Callable[..., Outcome],
    generator: Generator,
    problems: Sequence[Problem],
    config: OptimizerConfig,
    make_optimizer: MakeOptimizer,
) -> dict:
    """A method that takes one pair at a time."""
    outcomes = []
    for problem, start in zip(problems, starts(generator, problems, config), strict=True):
        outcomes.append(method(generator, problem, start, make_optimizer, config.num_steps))
    return of_outcomes(outcomes)


def run_static(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig, size: int) -> dict:
    """Batch after batch, each until its slowest member is exact, with Adam at our own lr."""
    outcomes: list[Outcome] = []
    for first in range(0, len(problems), size):
        batch = problems[first : first + size]
        adam = partial(torch.optim.Adam, lr=config.lr, betas=(BETA1, config.beta2))
        outcomes += static_batch(generator, batch, starts(generator, batch, config), adam, config.num_steps)
    return of_outcomes(outcomes)


def contestants(
    generator: Generator, problems: Sequence[Problem], config: OptimizerConfig, static_size: int, start: str = LEARNED
) -> dict[str, tuple[str, Callable[[], dict]]]:
    """By name: a method's settings in words, and the work to be timed.

    Args:     start  the learned start that some begin at
    """
    plain = dataclasses.replace(config, weighting="view")
    learned = dataclasses.replace(config, start=start)
    few = dataclasses.replace(learned, num_steps=min(FEW, config.num_steps))
    gaussian = dataclasses.replace(config, start="gaussian")
    adam = f"Adam lr {config.lr:g}, betas {BETA1} {config.beta2:g}"
    return {
        "ours": (f"{adam}, tokens weighted equally", partial(run_ours, generator, problems, config)),
        "ours, learned start": (f"{adam}, start {start}", partial(run_ours, generator, problems, learned)),
        "ours, few steps from the learned start": (
            f"{adam}, start {start}, at most {few.num_steps} steps, as GradMem writes",
            partial(run_ours, generator, problems, few),
        ),
        "ours, settings of the static batch": (
            f"{adam}, views weighted equally",
            partial(run_ours, generator, problems, plain),
        ),
        "static batch": (
            f"{adam}, views weighted equally, batches of {static_size}",
            partial(run_static, generator, problems, plain, static_size),
        ),
        "one pair at a time": (
            "AdamW lr 0.01, betas 0.9 0.9, weight decay 0.01, Gaussian start",
            partial(run_each, one_at_a_time, generator, problems, gaussian, cramming_adamw),
        ),
        "PEFT prompt tuning": (
            "AdamW lr 0.03, prompt before mode",
            partial(run_each, peft_prompt_tuning, generator, problems, config, peft_adamw),
        ),
    }
