"""Where contents live: slots that are held at their norm, and free ones."""

import dataclasses

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import initial_content

ALL_STEPS = OptimizerConfig(K=4, num_steps=12, num_restarts=1, stop_rule="minimize", lr=0.1)


def test_held_slots_keep_the_norm_of_their_tokens(tiny, problems):
    config = dataclasses.replace(ALL_STEPS, hold_norm=True)
    (result,) = ContentOptimizer(tiny, config).optimize(problems[:1])
    start = initial_content(tiny, problems[0], config.K, config.init, config.seed, result.restart)
    assert result.best_step > 0 and not torch.allclose(result.content, start)
    assert torch.allclose(result.content.norm(dim=1), start.norm(dim=1), rtol=1e-5)
    (free,) = ContentOptimizer(tiny, ALL_STEPS).optimize(problems[:1])
    assert not torch.allclose(free.content.norm(dim=1), start.norm(dim=1), rtol=1e-2)
