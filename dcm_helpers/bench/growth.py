"""How cost and memory grow: with the number of problems in a run, and with slots, target length and batch size."""

import dataclasses
import multiprocessing
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from dcm_helpers.bench.speed import our_step, peak_gigabytes, seconds_of, shares
from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.runs import prepare
from dcm_helpers.stm import Problem, View

STEPS = 5
"""Step budget of a growth run: enough to see what the loop and the disk cost."""


def growth_run(num_problems: int) -> dict:
    """Stage 1 on the tiny Generator with a short step budget, all stored as usual: seconds, memory, disk."""
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(
            generator=GeneratorConfig(model="tiny", device="cpu", dtype="float32"),
            data=DataConfig(dataset="arithmetic", num_examples=num_problems // 2),
            optimizer=OptimizerConfig(K=4, num_steps=STEPS, num_restarts=1, stop_rule="exact"),
            stage="1",
            ignore_gates=True,
            output_dir=folder,
        )
        with prepare(config, ContentOptimizer) as run:
            before = peak_gigabytes(run.generator)
            (seconds,) = seconds_of(run.generator.device, run.stage1, repeats=1, warm_up=0)
            files = list(run.folder.path.iterdir())
            return {
                "problems": len(run.folder.records(1)),
                "seconds": round(seconds, 2),
                "milliseconds_per_problem": round(1e3 * seconds / num_problems, 2),
                "peak_megabytes": round(1e3 * peak_gigabytes(run.generator)),
                "megabytes_before": round(1e3 * before),
                "files": len(files),
                "megabytes_on_disk": round(sum(file.stat().st_size for file in files) / 1e6, 1),
            }


def growth_table(counts: Sequence[int]) -> list[dict]:
    """Growth runs of several sizes, each in a fresh process so that its peak memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        return list(pool.map(growth_run, counts))


def step_row(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig, repeats: int) -> dict:
    """What one evaluation of one problem costs in a batch of these."""
    step, batch = our_step(generator, problems, config)
    size = len(batch.attempts)
    times = [seconds / size for seconds in seconds_of(generator.device, step, repeats)]
    work = batch.work
    median = statistics.median(times)
    return {
        "K": config.K,
        "batch": size,
        "target_tokens": round(work.target_tokens / work.evaluations, 1),
        "milliseconds": round(1e3 * median, 1),
        "tokens_per_second": round(work.positions / work.evaluations / median),
        "padding": round(shares(work)["padding"], 3),
    }


def sweep(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig, repeats: int) -> list[dict]:
    """Cost of a step against K, then batch size, then target length, all else as configured."""
    rows = []
    for K in (1, 8, 32, 128):
        rows.append(step_row(generator, problems, dataclasses.replace(config, K=K), repeats))
    for batch_size in (1, 4, 16, 64):
        some = [problems[index % len(problems)] for index in range(batch_size)]
        rows.append(step_row(generator, some, dataclasses.replace(config, batch_size=batch_size), repeats))
    text = generator.text_ids(" ".join(view.target_text for problem in problems for view in problem.views))
    for length in (4, 16, 64, 256):
        target = (*(text * (1 + length // len(text)))[: length - 1], generator.eos_id)
        same = [Problem(f"length {length}/{index}", (View(None, "", target),)) for index in range(len(problems))]
        rows.append(step_row(generator, same, config, repeats))
    return rows
