"""Terms beside cross-entropy."""

import dataclasses

import pytest
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator import token_rows
from dcm_helpers.look import losses_at
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.optimize.objective import token_distance, weighted_terms
from dcm_helpers.stm import Problem, View, lay_out, view_rows


def distances(generator, contents):
    """The term of contents that each have one view, all in one group of rows."""
    problems = [Problem(str(slot), (View.of(generator, "carbon", "A"),)) for slot in range(len(contents))]
    layout = lay_out(generator, view_rows(generator, problems), contents.shape[1])
    return token_distance(generator, layout, contents, None)


ALL_STEPS = OptimizerConfig(K=4, num_steps=12, num_restarts=1, stop_rule="minimize", lr=0.1)


def test_tokens_have_no_distance_and_known_offsets_have_theirs(tiny):
    tokens = token_rows(tiny, 6, torch.Generator().manual_seed(0)).view(2, 3, -1)
    assert distances(tiny, tokens).tolist() == pytest.approx([0, 0], abs=1e-5)
    offset = torch.zeros_like(tokens)
    offset[0, :, 0] = 1e-3  # far smaller than the distance between tokens
    assert distances(tiny, tokens + offset).tolist() == pytest.approx([1e-3, 0], abs=1e-6)


def test_the_gradient_of_the_distance_is_that_of_finite_differences(tiny64):
    contents = torch.randn(2, 3, tiny64.width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    contents.requires_grad_()
    (gradient,) = torch.autograd.grad(distances(tiny64, contents).sum(), contents)
    step = torch.randn(contents.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1e-5
    change = (distances(tiny64, contents + step) - distances(tiny64, contents - step)).sum() / 2
    assert (gradient * step).sum().item() == pytest.approx(change.item(), rel=1e-4)


def test_without_a_weight_there_is_no_term(tiny):
    assert weighted_terms(tiny, OptimizerConfig(K=2), None, torch.zeros(1, 2, tiny.width), None) is None
    with pytest.raises(InputError, match="token_distance is -1"):
        OptimizerConfig(token_distance=-1.0)


def test_a_weight_draws_contents_to_tokens_and_is_recorded(tiny64, problems):
    """The penalty that is stored is that of the stored content, and a larger weight gives a smaller distance."""
    found = []
    for weight in (0.0, 1.0, 30.0):
        config = dataclasses.replace(ALL_STEPS, token_distance=weight, num_steps=25)
        (result,) = ContentOptimizer(tiny64, config).optimize(problems[:1])
        distance = distances(tiny64, result.content[None]).item()
        assert result.penalty == pytest.approx(weight * distance, rel=1e-6)
        assert result.loss == pytest.approx(losses_at(tiny64, problems[0], result.content[None])["loss"].item())
        found.append(distance)
    assert found[0] > found[1] > found[2]


def test_a_term_of_contents_counts_each_once_however_rows_are_grouped(tiny64, problems):
    """Every content has two rows; what a group adds up to over all groups is the term."""
    contents = torch.randn(4, 3, tiny64.width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = view_rows(tiny64, problems[:4])
    whole = distances(tiny64, contents)
    for groups in ([range(8)], [range(3), range(3, 8)], [[row] for row in range(8)]):
        layouts = [lay_out(tiny64, [rows[row] for row in group], 3) for group in groups]
        added = sum(token_distance(tiny64, layout, contents, None) for layout in layouts)
        torch.testing.assert_close(added, whole)
