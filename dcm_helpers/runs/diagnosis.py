"""What a failed gate means: remedies tried on some of its failures."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import Result
from dcm_helpers.runs.verdicts import converged_by, reading
from dcm_helpers.stats import rate
from dcm_helpers.stm import Problem, positions, views_apart

Solve = Callable[[str, Sequence[Problem], OptimizerConfig], Iterable[Result]]
"""Optimizes problems with some settings, watched under a title."""
DIAGNOSED_FAILURES = 10


def diagnosis(
    generator: Generator,
    solve: Solve,
    stage: int,
    records: Sequence[dict],
    problems: Sequence[Problem],
    config: OptimizerConfig,
) -> dict:
    """Try remedies on at most ten failures of a stage; nothing of it is stored as a result.

    Twice the slots tests whether K is too small; each view alone tests whether the pair shares structure. A remedy
    is tried for one restart, where it fits the window, and judged by the stage's own bar: reconstruction in stage
    1, in stage 2 convergence against the baselines that the failure was held to.

    Returns:  how many records there were, how the failures had ended, the share that each remedy helps, and the
              mission's reading of it
    """
    by_id = {problem.id: problem for problem in problems}
    bar = "converged" if stage == 2 else "reconstructed"
    failures = [record for record in records if not record[bar]][:DIAGNOSED_FAILURES]
    failed = [by_id[record["problem"]] for record in failures]
    baselines = {
        (record["pair"], view["mode"]): view.get("baselines") for record in failures for view in record["views"]
    }

    def passes(result: Result) -> bool:
        if stage == 1:
            return result.reconstructed
        return all(
            converged_by(view.measured.loss_text, baselines[result.problem.pair, view.view.mode])
            for view in result.views
        )

    def share(title: str, tried: Sequence[Problem], settings: OptimizerConfig) -> dict:
        """The rate at which problems that fit the window pass the bar under some settings."""
        tried = [each for each in tried if positions(generator, each, settings.K) <= generator.window]
        results = list(solve(title, tried, settings))
        return rate(sum(passes(result) for result in results), len(results))

    once = dataclasses.replace(config, num_restarts=1)
    twice = dataclasses.replace(once, K=2 * config.K)
    found = {
        "records": len(records),
        "bar": bar,
        "stop_reasons": dict(Counter(record["stop_reason"] for record in failures)),
        "doubled_K": share(f"Diagnosis, K={twice.K}", failed, twice),
    }
    if stage == 2:
        alone = [view for problem in failed for view in views_apart(problem)]
        found["views_alone"] = share("Diagnosis, views alone", alone, once)
    return {**found, "reading": reading(found)}
