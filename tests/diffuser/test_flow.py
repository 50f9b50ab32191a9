"""Noise and back against closed forms, and a Diffuser against mixtures that are known."""

import pytest
import torch

from dcm_helpers.config import NetworkConfig
from dcm_helpers.diffuser import Network, at_time, draw_times, velocity_loss, walk

MEAN, STD = torch.tensor([2.0, -1.0]), 0.5


def best_estimate(state, time, _):
    """What the clean point is on average, of points drawn from a Gaussian."""
    t = time[:, None, None]
    return MEAN + t * STD**2 / (t**2 * STD**2 + (1 - t) ** 2) * (state - t * MEAN)


def errors(steps):
    """How far walks end from where the exact way ends: for a Gaussian at the mean plus so many deviations as before."""
    noise = torch.randn(500, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    *_, (time, found, told) = walk(noise, steps, best_estimate)
    assert time == 1 and torch.allclose(found, told)
    return (found - (MEAN + STD * noise)).abs().max().item()


def test_the_walk_ends_where_the_closed_form_does():
    few, many = errors(32), errors(128)
    assert many < 0.02 and few / many == pytest.approx(4, rel=0.2), "the error falls as the length of a step"


def test_one_step_takes_the_estimate():
    noise = torch.randn(3, 1, 2)
    ((time, found, told),) = walk(noise, 1, best_estimate)
    assert time == 1 and torch.equal(found, told) and torch.allclose(told, MEAN.expand(3, 1, 2))


def test_the_loss_is_that_of_the_velocity():
    random = torch.Generator().manual_seed(0)
    clean, noise, guess = torch.randn(3, 5, 4, 2, generator=random)
    time = torch.tensor([0.0, 0.2, 0.5, 0.8, 0.9])
    velocity = (guess - at_time(clean, noise, time)) / (1 - time)[:, None, None]
    expected = (velocity - (clean - noise)).square().mean((1, 2))
    assert torch.allclose(velocity_loss(guess, clean, time), expected, rtol=1e-4)
    assert velocity_loss(guess, clean, torch.ones(5)).isfinite().all()


def test_times_are_between_noise_and_content():
    times = draw_times(10_000, torch.Generator().manual_seed(0))
    assert times.min() > 0 and times.max() < 1 and times.median().item() == pytest.approx(0.31, abs=0.02)


def test_a_network_recovers_the_mixture_that_its_condition_names():
    """Two labels; each stands for a mixture of two Gaussians, so that the mean of what is right is wrong."""
    torch.manual_seed(0)
    centers = torch.tensor([[[1.0, 1.0], [1.0, -1.0]], [[-1.0, 1.0], [-1.0, -1.0]]])  # label, component, coordinate
    condition = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    network = Network(1, 2, torch.tensor([[0.0, 0.0], [1.0, 1.0]]), NetworkConfig(width=32, blocks=2, heads=2))
    adam = torch.optim.Adam(network.parameters(), 3e-3)
    random, count = torch.Generator().manual_seed(1), 256
    told = torch.ones(count, 1, dtype=torch.bool)
    for _ in range(600):
        label, part = torch.randint(2, (2, count), generator=random)
        clean = (centers[label, part] + 0.1 * torch.randn(count, 2, generator=random))[:, None]
        time = draw_times(count, random)
        noisy = at_time(clean, torch.randn(clean.shape, generator=random), time)
        guess = network(noisy, time, torch.zeros_like(noisy), condition[label], told)
        adam.zero_grad()
        velocity_loss(guess, clean, time).mean().backward()
        adam.step()
    for label in range(2):
        noise = torch.randn(count, 1, 2, generator=random)
        with torch.no_grad():
            asked = condition[[label] * count]
            *_, (_, found, _) = walk(noise, 32, lambda x, time, _: network(x, time, noise * 0, asked, told))  # noqa: B023
        found = found[:, 0]
        assert (found[:, 0] - centers[label, 0, 0]).abs().mean() < 0.2, "the condition is not followed"
        share = (found[:, 1] > 0).float().mean().item()
        assert 0.35 < share < 0.65, "one component is left out"
        assert (found[:, 1].abs() - 1).abs().mean() < 0.2, "components are averaged"
