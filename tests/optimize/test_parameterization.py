"""Where contents live: slots that are held at their norm, and free ones."""

import dataclasses
from collections import deque

import pytest
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.look import losses_at
from dcm_helpers.optimize import Attempt, Batch, ContentOptimizer
from dcm_helpers.optimize.parameterization import PARAMETERIZATIONS, RANK, Direct, random_subspace
from dcm_helpers.stm import initial_content

ALL_STEPS = OptimizerConfig(K=4, num_steps=12, num_restarts=1, stop_rule="minimize", lr=0.1)


def test_held_slots_keep_the_norm_of_their_tokens(tiny, problems):
    config = dataclasses.replace(ALL_STEPS, parameterization="held_norm")
    (result,) = ContentOptimizer(tiny, config).optimize(problems[:1])
    start = initial_content(tiny, problems[0], config.K, config.start, config.seed, result.restart)
    assert result.best_step > 0 and not torch.allclose(result.content, start)
    assert torch.allclose(result.content.norm(dim=1), start.norm(dim=1), rtol=1e-5)
    (free,) = ContentOptimizer(tiny, ALL_STEPS).optimize(problems[:1])
    assert not torch.allclose(free.content.norm(dim=1), start.norm(dim=1), rtol=1e-2)


class Doubled(Direct):
    """Latents are half of the contents that they stand for."""

    def latents(self, starts):
        return starts / 2

    def contents(self, latents, starts):
        return 2 * latents


def test_latents_are_optimized_and_contents_are_read(tiny64, problems, monkeypatch):
    """With a latent of half the content, gradients are twice as large and a step moves the content twice as far."""
    contents = {}
    for name, parameterization in (("direct", Direct()), ("doubled", Doubled())):
        monkeypatch.setitem(PARAMETERIZATIONS, "direct", lambda made=parameterization: made)
        batch = Batch(tiny64, ALL_STEPS, 2)
        batch.admit(deque(Attempt(problem, 0, ALL_STEPS) for problem in problems[:2]))
        batch.measure()
        first = batch.contents.clone(), batch.gradient.clone()
        torch.testing.assert_close(batch.state["best"], first[0], msg="what is kept as best is a content, no latent")
        batch.update()
        contents[name] = (*first, batch.contents - first[0])
        losses = [
            losses_at(tiny64, problem, content[None])["loss"].item()
            for problem, content in zip(problems, first[0], strict=False)
        ]
        assert losses == pytest.approx([attempt.best.loss for attempt in batch.attempts])
    direct, doubled = contents["direct"], contents["doubled"]
    torch.testing.assert_close(direct[0], doubled[0])
    torch.testing.assert_close(2 * direct[1], doubled[1])
    torch.testing.assert_close(2 * direct[2], doubled[2], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_contents_begin_where_problems_start(tiny64, problems, name):
    """Whatever is optimized, a run's starts can be drawn again; a step then moves every content."""
    config = dataclasses.replace(ALL_STEPS, parameterization=name)
    batch = Batch(tiny64, config, 2)
    batch.admit(deque(Attempt(problem, 0, config) for problem in problems[:2]))
    starts = torch.stack(
        [initial_content(tiny64, each, config.K, config.start, config.seed, 0) for each in problems[:2]]
    )
    torch.testing.assert_close(batch.contents, starts)
    batch.measure()
    batch.update()
    moved = (batch.contents - starts).flatten(1).norm(dim=1)
    as_far = config.lr * starts[0].numel() ** 0.5  # Adam's first step: every coordinate by the learning rate
    assert ((0.75 * as_far < moved) & (moved < 1.25 * as_far)).all(), "what is compared is hardly the learning rate"


@pytest.mark.parametrize("name", PARAMETERIZATIONS)
def test_what_is_stored_is_a_plain_content_with_its_loss(tiny64, problems, name):
    (result,) = ContentOptimizer(tiny64, dataclasses.replace(ALL_STEPS, parameterization=name)).optimize(problems[:1])
    assert result.content.shape == (4, tiny64.width) and result.best_step > 0
    assert result.loss == pytest.approx(losses_at(tiny64, problems[0], result.content[None])["loss"].item())
    assert result.history[-1][1] < result.history[0][1]


def test_a_networks_latent_is_its_problems_own():
    starts = (
        torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5, 0])[:, None, None]
    )
    network = PARAMETERIZATIONS["mlp"]()
    together = network.latents(starts)
    for index in range(3):
        assert torch.equal(together[index], network.latents(starts[index : index + 1])[0])
    torch.testing.assert_close(network.contents(together, starts), starts)
    assert together.isfinite().all(), "a start of zeros, too"


@pytest.mark.parametrize("name", ["mlp", "projection"])
def test_a_problem_does_not_know_its_neighbors(tiny64, problems, name):
    config = dataclasses.replace(ALL_STEPS, parameterization=name)
    (alone,) = ContentOptimizer(tiny64, config).optimize(problems[:1])
    (among, *_) = ContentOptimizer(tiny64, config).optimize(problems[:3])
    torch.testing.assert_close(alone.content, among.content, rtol=1e-6, atol=1e-8)


def test_a_projected_content_moves_in_few_dimensions(tiny64, problems):
    rows = random_subspace(tiny64.width, RANK)
    torch.testing.assert_close(rows @ rows.T, torch.eye(RANK, dtype=torch.float64))
    config = dataclasses.replace(ALL_STEPS, parameterization="projection")
    results = ContentOptimizer(tiny64, config).optimize(problems[:2])
    for result, problem in zip(results, problems, strict=False):
        moved = result.content - initial_content(tiny64, problem, 4, config.start, config.seed, 0)
        torch.testing.assert_close(moved @ rows.T @ rows, moved)
