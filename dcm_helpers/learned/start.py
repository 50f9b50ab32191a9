"""A start for all problems: where optimization ends on average, from where it ended on average before."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import torch
from safetensors.torch import save

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.files import is_there, write_safely
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import ContentOptimizer, Result
from dcm_helpers.shapes import Content
from dcm_helpers.stm import LEARNED_FROM, Problem, initial_content, read_starts


@dataclass(frozen=True)
class Round:
    """Some problems, all optimized from one start."""

    results: tuple[Result, ...]
    average: Content
    """The mean of the contents that reconstruct: the next round's start."""


def rounds_of_learning(
    generator: Generator, problems: Sequence[Problem], config: OptimizerConfig, rounds: int, stop: Event | None = None
) -> Iterator[Round]:
    """Optimize all problems from one start, and again from the mean of what was found, and so on.

    First-order learning of a start: no gradient passes through the steps. The first round starts from what ``config``
    says for the first problem; 'shared' makes it that of all.

    Args:     config  its settings but for the start of later rounds;  stop  once set, no round begins or is yielded
    Raises:   InputError if none of the problems is reconstructed in a round
    """
    start = initial_content(generator, problems[0], config.K, config.start, config.seed, 0)
    solver = ContentOptimizer(generator, replace(config, num_restarts=1))
    for number in range(rounds):
        results = solver.optimize([replace(each, initial=start) for each in problems], stop=stop)
        if stop is not None and stop.is_set():
            return
        found = [each.content for each in results if each.reconstructed]
        require(
            bool(found),
            f"none of {len(problems)} problems is reconstructed in round {number + 1} within {config.num_steps} steps; "
            "a start cannot be learned from that: use more slots or more steps",
        )
        start = torch.stack(found).mean(0)
        yield Round(tuple(results), start)


def kept_starts(path: Path, learned_from: dict) -> dict[int, Content]:
    """By number of slots, the starts that a file has; none where there is no file.

    Args:     learned_from  what they are to be learned from, as the file says it
    Raises:   InputError if it is no such file, or its starts were learned from something else
    """
    if not is_there(path):
        return {}
    told, starts = read_starts(path, "name another file")
    require(told == learned_from, f"{path} has starts that were learned from {told}; name another file")
    return starts


def keep_start(path: Path, content: Content, learned_from: dict) -> None:
    """Add a start to those of other numbers of slots in a file, in half precision."""
    starts = {**kept_starts(path, learned_from), len(content): content.cpu().to(torch.float16)}
    tensors = {str(K): start.contiguous() for K, start in sorted(starts.items())}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safely(path, save(tensors, {LEARNED_FROM: json.dumps(learned_from)}))
