"""How far one driver goes: results a second against workers, as a model has it and as it is with workers that sleep.

The driver is the real one: it hands out chunks, hears messages, unpacks contents and stores records. Only the workers
are stand-ins (:mod:`dcm_helpers.bench.crowd`), and only the baselines are left out; they are timed apart.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dcm_helpers.bench.crowd import Crowd
from dcm_helpers.bench.speed import seconds_of
from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.optimize import ContentOptimizer, Result, Solver
from dcm_helpers.pairs import Pair, load_pairs
from dcm_helpers.runs import result_record, view_baselines
from dcm_helpers.stm import Problem, joint_problems, problem_id
from dcm_helpers.store import RunFolder
from dcm_helpers.workers import Fleet, FleetSolver, places_of

TOGETHER = 16
"""Problems that a worker has in flight."""
LEAST, MOST, SECONDS = 24, 10_000, 40
"""A run has problems for so many seconds of its workers, at most so many, but so many for each worker."""
SHAPE = (8, 576)
"""Of a content: K, and the width of SmolLM2-135M."""
STEPS = 30
"""Updates of each problem when workers are timed beside the plain loop."""
WORKERS = (1, 2)
"""How many workers are timed beside the plain loop."""
ASKING = 1.1e-6
"""Seconds in which Ray's `wait` looks at one stream: 1.1 ms for a thousand (Ray 2.60, measured apart)."""


def driver_row(workers: int, seconds: float, problems: int) -> dict:
    """One driver with workers that sleep.

    Args:     seconds  that a worker takes for a problem, on average
    Returns:  results a second that the workers could bring, and that were stored in the middle half of the run; of the
              whole run the seconds, and the share of them in which the driver computed; milliseconds in which a
              record is read when the run is gone on with
    """
    generator = load_generator(GeneratorConfig("tiny", "cpu", "float32"))
    config = OptimizerConfig(K=SHAPE[0], batch_size=TOGETHER)
    template = example_result(generator)
    tasks = [replace(template.problem, id=problem_id(str(number), "joint")) for number in range(problems)]
    crowd = Crowd(workers, seconds, TOGETHER, template, ASKING)
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder.create(Path(place) / "run", {}, {})
        began, worked = time.perf_counter(), time.process_time()
        seen = []
        for result in FleetSolver(crowd, generator, config).iterate(tasks, lambda progress: None):
            record = result_record(generator, result, 2, config)
            steps, losses = zip(*result.history, strict=True)
            folder.append(2, record, result.content, {"steps": steps, "losses": losses})
            seen.append(time.perf_counter() - began)
        worked = time.process_time() - worked
        began = time.perf_counter()
        again = len(folder.records(2))
        reading = time.perf_counter() - began
        folder.close()
    first, last = seen[len(seen) // 4], seen[3 * len(seen) // 4]
    return {
        "workers": workers,
        "seconds_a_problem": seconds,
        "problems": problems,
        "brought_per_second": round(workers / seconds, 1),
        "stored_per_second": round(problems / 2 / (last - first), 1),
        "seconds": round(seen[-1], 1),
        "driver_busy": round(worked / seen[-1], 2),
        "read_again_ms": round(1e3 * reading / again, 3),
    }


def example_result(generator: Generator) -> Result:
    """A result as a worker sends it, with a content of usual size and a curve of usual length."""
    problem: Problem = joint_problems(generator, load_pairs(DataConfig("pairs", 1)).pairs)[0]
    (result,) = ContentOptimizer(generator, OptimizerConfig(K=8, lr=0.1, num_steps=40)).iterate([problem])
    return replace(result, content=torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)))


def scale_table(counts: Sequence[int], seconds: Sequence[float]) -> list[dict]:
    """Rows for numbers of workers of several speeds; every worker gets its part of a run that is long enough."""
    return [
        driver_row(workers, each, max(LEAST * workers, min(MOST, round(SECONDS * workers / each))))
        for each in seconds
        for workers in counts
    ]


def baseline_seconds(generator: Generator, problems: Sequence[Problem], pairs: Sequence[Pair], K: int) -> float:
    """Seconds that the baselines of a pair take, which the driver computes with a Generator of its own."""

    def work() -> None:
        view_baselines(generator, problems, pairs, K, 0)

    return min(seconds_of(generator.device, work, repeats=2, warm_up=1)) / len(problems)


def overhead_table(
    generator: Generator, config: GeneratorConfig, problems: Sequence[Problem], K: int, repeats: int
) -> list[dict]:
    """Workers on this machine beside the plain loop in this process, in turns.

    Args:     config  loads the same Generator in a worker;  repeats  turns, of which medians are taken
    Returns:  a row for each number of workers: updates a second, and their ratio to the plain loop's
    """
    settings = OptimizerConfig(K=K, num_steps=STEPS, num_restarts=1, stop_rule="minimize")
    plain = ContentOptimizer(generator, settings)
    rows = []
    for count in WORKERS:
        with Fleet(places_of(",".join(f"localhost:{slot}:100" for slot in range(count))), config) as fleet:
            several = FleetSolver(fleet, generator, settings)
            list(several.iterate(problems[:count]))  # each loads its Generator
            turns = [
                (updates_per_second(plain, problems), updates_per_second(several, problems)) for _ in range(repeats)
            ]
        alone, together = (statistics.median(each) for each in zip(*turns, strict=True))
        ratios = [round(after / before, 3) for before, after in turns]
        rows.append(
            {
                "workers": count,
                "plain_per_second": round(alone, 2),
                "workers_per_second": round(together, 2),
                "ratio": round(statistics.median(ratios), 3),
                "ratios": ratios,
            }
        )
    return rows


def updates_per_second(solver: Solver, problems: Sequence[Problem]) -> float:
    """Updates of all problems together, a second."""
    began = time.perf_counter()
    updates = sum(result.steps_total for result in solver.iterate(problems))
    return updates / (time.perf_counter() - began)
