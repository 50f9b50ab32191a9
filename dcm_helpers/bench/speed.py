"""What an evaluation costs, for our loop and its alternatives: time, FLOP, and the device's own ceiling."""

import resource
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from dcm_helpers.bench.alternatives import cramming_adamw, one_at_a_time, peft_prompt_tuning, static_batch
from dcm_helpers.config import OptimizerConfig
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import Attempt, Batch, automatic_size
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Problem, initial_content, view_rows
from dcm_helpers.watch import Work

WARM_UP = 1
EMULATED, EMULATED_SIZE = 5e9, 512
"""Below so many FLOP/s with a matrix of this size, a precision is not the device's own."""
CEILING_SIZE = {"cpu": 2048}
CEILING_SIZE_ELSEWHERE = 8192
ONE_BY_ONE = 3
"""A method that takes one pair at a time is timed on the first few."""


@dataclass(frozen=True)
class EvaluationCost:
    """What one evaluation of one problem costs (forward and backward pass of all its views, and the update)."""

    milliseconds: float
    """Median over repeats."""
    spread: tuple[float, float]
    """Fastest and slowest repeat."""
    gigaflop: float
    """Floating-point operations that the problem needs, padding not counted."""
    tokens_per_second: float
    """Positions that the problem needs, padding not counted, per second."""
    ceiling: float
    """FLOP/s as a fraction of the device's measured matrix multiplication."""


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def seconds_of(device: torch.device, work: Callable[[], object], repeats: int, warm_up: int = WARM_UP) -> list[float]:
    """Seconds that some work takes on a device, each repeat; the warm-up is left out."""
    times = []
    for repeat in range(warm_up + repeats):
        synchronize(device)
        started = time.perf_counter()
        work()
        synchronize(device)
        if repeat >= warm_up:
            times.append(time.perf_counter() - started)
    return times


def matmul_ceiling(device: torch.device, dtype: torch.dtype, repeats: int = 30) -> float:
    """FLOP/s of a large square matrix multiplication in some precision: the best of several.

    A precision that the device only emulates is timed on a small one, once: with a large one it would take minutes.
    """

    def flop_per_second(size: int, repeats: int, warm_up: int) -> float:
        one, two = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        return 2 * size**3 / min(seconds_of(device, lambda: one @ two, repeats, warm_up))

    small = flop_per_second(EMULATED_SIZE, 1, 1)
    if small < EMULATED:
        return small
    return flop_per_second(CEILING_SIZE.get(device.type, CEILING_SIZE_ELSEWHERE), repeats, WARM_UP)


def flop(generator: Generator, positions: int, target_tokens: int) -> int:
    """FLOP of forward and backward passes to the inputs: 4 per weight of the blocks and position, 4 D W per target.

    Attention's own products are left out; at these lengths they are below one percent.
    """
    model = generator.model
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    weights = sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in tables)
    return 4 * weights * positions + 4 * model.get_output_embeddings().weight.numel() * target_tokens


def needed(generator: Generator, problems: Sequence[Problem], K: int) -> tuple[int, int]:
    """Positions and target tokens of one evaluation of every problem, without any padding."""
    rows = view_rows(generator, problems)
    return sum(row.length(K) for row in rows), sum(len(row.target_ids) for row in rows)


def peak_gigabytes(generator: Generator) -> float:
    """Peak memory so far: the device's own on a GPU, else the whole process's."""
    if generator.device.type == "cuda":
        return torch.cuda.max_memory_allocated(generator.device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def starts(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig) -> Contents:
    """The contents that every method starts from."""
    return torch.stack([initial_content(generator, each, config.K, config.start, config.seed, 0) for each in problems])


def our_step(
    generator: Generator, problems: Sequence[Problem], config: OptimizerConfig
) -> tuple[Callable[[], None], Batch]:
    """Work that evaluates and updates as many problems as our loop has in flight, and their batch."""
    batch = Batch(generator, config, size=config.batch_size or automatic_size(generator, problems, config))
    batch.admit(deque(Attempt(problem, 0, config) for problem in problems))

    def step() -> None:
        batch.measure()
        batch.update()

    return step, batch


def one_evaluation_each(
    generator: Generator, problems: Sequence[Problem], config: OptimizerConfig
) -> dict[str, tuple[Callable[[], object], Sequence[Problem]]]:
    """By method: work that evaluates and updates some problems once, and these problems."""
    contents = starts(generator, problems, config)
    step, batch = our_step(generator, problems, config)
    few = list(zip(problems, contents, strict=True))[:ONE_BY_ONE]

    def one_by_one(method: Callable) -> Callable[[], object]:
        # where no update is allowed, each alternative evaluates exactly once
        return lambda: [method(generator, problem, start, cramming_adamw, 0) for problem, start in few]

    first = [problem for problem, _ in few]
    return {
        "ours": (step, [attempt.problem for attempt in batch.attempts]),
        "one pair at a time": (one_by_one(one_at_a_time), first),
        "static batch": (lambda: static_batch(generator, problems, contents, cramming_adamw, 0), problems),
        "PEFT prompt tuning": (one_by_one(peft_prompt_tuning), first),
    }


def evaluation_costs(
    generator: Generator, problems: Sequence[Problem], config: OptimizerConfig, repeats: int, ceiling: float
) -> dict[str, EvaluationCost]:
    """The cost of an evaluation by method, at the Generator's precision and compile setting; ``ceiling`` in FLOP/s."""
    costs = {}
    for name, (work, served) in one_evaluation_each(generator, problems, config).items():
        times = [seconds / len(served) for seconds in seconds_of(generator.device, work, repeats)]
        median = statistics.median(times)
        positions, target_tokens = needed(generator, served, config.K)
        operations = flop(generator, positions, target_tokens) / len(served)
        costs[name] = EvaluationCost(
            milliseconds=1e3 * median,
            spread=(1e3 * min(times), 1e3 * max(times)),
            gigaflop=operations / 1e9,
            tokens_per_second=positions / len(served) / median,
            ceiling=operations / median / ceiling,
        )
    return costs


def shares(work: Work) -> dict[str, float | None]:
    """How much of what was computed was of use: slots in work while problems waited, and padding."""
    return {
        "occupancy": work.busy_places / work.places if work.places else None,
        "padding": work.padding / max(work.positions + work.padding, 1),
    }


def faster_alone(generators: Sequence[Generator], problems: Sequence[Problem], config: OptimizerConfig) -> Generator:
    """Of a Generator in several precisions, the one with which one pair at a time is evaluated fastest."""

    def seconds(generator: Generator) -> float:
        work, _ = one_evaluation_each(generator, problems, config)["one pair at a time"]
        return min(seconds_of(generator.device, work, repeats=2))

    return min(generators, key=seconds)
