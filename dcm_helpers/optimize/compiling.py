"""Whether so much is to be computed that compiling a Generator's blocks pays, and doing it."""

import sys
from collections.abc import Sequence

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.generator import Generator, compile_blocks, is_compiled, uncompile_blocks
from dcm_helpers.stm import Problem, initial_content, lay_out, target_logits, view_rows

EVALUATIONS = 20
"""How many evaluations a problem is taken to need: about as many as the median of SQuAD's pairs with 8 slots or more
until they are exact. All else takes more of them."""
PAYS = 120.0
"""Seconds of such a loop, blocks alone, from which blocks are compiled: it takes 15 to 30 s once, and saves a fifth or
more of what follows (results/MEASUREMENTS.md)."""


def expected_seconds(generator: Generator, problems: Sequence[Problem], K: int) -> float:
    """How long the Generator's blocks will work for some problems at least; 0 where their pace was not measured."""
    positions = sum(row.length(K) for row in view_rows(generator, problems))
    return EVALUATIONS * positions * (generator.seconds_a_position or 0.0)


def compile_where_it_pays(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig) -> bool:
    """Compile a Generator's blocks in place if some problems will keep them busy for long; say so, and try them.

    A machine without a compiler, or with one that fails, goes on with blocks as they are, and is told.

    Args:     problems  what is to be optimized, as often as it will be
    Returns:  whether they were compiled now
    """
    expected = expected_seconds(generator, problems, config.K)
    if expected < PAYS:
        return False
    try:
        if is_compiled(generator.model):
            return False
        print(f"At least {expected / 60:.0f} min of steps are expected: compiling blocks first", file=sys.stderr)
        compile_blocks(generator.model)
        one_evaluation(generator, problems[:2], config)
    except Exception as error:  # a compiler, and code that it made, can fail in any way; what it compiles is known good
        uncompile_blocks(generator.model)
        error = getattr(error, "inner_exception", error)  # a backend's own, which torch wraps
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"Blocks are not compiled: {reason}", file=sys.stderr)
        return False
    return True


def one_evaluation(generator: Generator, problems: Sequence[Problem], config: OptimizerConfig) -> None:
    """Compute the views of some problems forward and back, and forget it: blocks are compiled when they first run."""
    starts = [initial_content(generator, problem, config.K, "tokens", config.seed, 0) for problem in problems]
    contents = torch.stack(starts).requires_grad_()
    layout = lay_out(generator, view_rows(generator, problems), config.K)
    torch.autograd.grad(target_logits(generator, layout, contents).sum(), contents)
