"""Where a content starts, and the precision that contents are kept in."""

import torch

from dcm_helpers.config import Initialization
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator, embedding_moments, token_rows
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content
from dcm_helpers.stm.problem import Problem


def initial_content(
    generator: Generator, problem: Problem, K: int, init: Initialization, seed: int, restart: int
) -> Content:
    """Where a content starts: drawn from (seed, problem id, restart) alone, so no neighbor can change it.

    Args:     init  'tokens': embeddings of K random tokens; 'gaussian': independent noise with the mean and standard
              deviation of the embedding table's coordinates
    Raises:   InputError if the problem brings its own start in another shape
    """
    if problem.initial is not None:
        shape = tuple(problem.initial.shape)
        require(
            shape == (K, generator.width),
            f"problem {problem.id!r} starts from a content of shape {shape}; expected (K, D) = "
            f"({K}, {generator.width})",
        )
        return problem.initial.to(generator.device, generator.content_dtype, copy=True)
    random = seeded("init", seed, problem.id, restart)
    if init == "tokens":
        return token_rows(generator, K, random)
    noise = torch.randn(K, generator.width, generator=random, dtype=torch.float64)
    mean, std = embedding_moments(generator)
    return (mean + std * noise).to(generator.content_dtype).to(generator.device)
