"""Where contents start."""

import dataclasses

import pytest
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import initial_content

EXACT = OptimizerConfig(K=8, lr=0.1, num_steps=150, stop_rule="exact")


def test_given_start_is_used(tiny, problems):
    """Started from a solution, a problem is solved without a step."""
    (solved,) = ContentOptimizer(tiny, EXACT).optimize(problems[:1])
    assert solved.reconstructed
    problem = dataclasses.replace(solved.problem, initial=solved.content)
    (again,) = ContentOptimizer(tiny, EXACT).optimize([problem])
    assert again.steps == 0 and torch.equal(again.content, solved.content)
    with pytest.raises(InputError, match="expected \\(K, D\\) = \\(8, 128\\)"):
        ContentOptimizer(tiny, EXACT).optimize([dataclasses.replace(problem, initial=torch.zeros(3, 128))])


def test_starts_depend_on_seed_problem_and_restart_alone(tiny, problems):
    def start(problem, seed, restart):
        return initial_content(tiny, problem, 8, "tokens", seed, restart)

    one, two = problems[:2]
    assert torch.equal(start(one, 0, 0), start(dataclasses.replace(one, views=two.views), 0, 0))
    for other in (start(two, 0, 0), start(one, 1, 0), start(one, 0, 1)):
        assert not torch.equal(start(one, 0, 0), other)


@pytest.mark.parametrize("init", ["tokens", "gaussian"])
def test_starts_have_the_scale_of_embeddings(tiny, problems, init):
    table = tiny.embed(torch.arange(512))
    start = initial_content(tiny, problems[0], 64, init, 0, 0)
    assert start.std().item() == pytest.approx(table.std().item(), rel=0.15)
    is_token = (start[:, None] == table[None]).all(-1).any(-1)
    assert is_token.all() if init == "tokens" else not is_token.any()
