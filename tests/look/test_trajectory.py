"""Trajectories: recorded ones are the optimizer's own, and the measures of lines, circles and walks are known."""

import math
from threading import Event

import pytest
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.look import Recorder, principal_directions, travel
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import initial_content


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def circle(radius, points, size=50):
    """A circle, closed, in a random plane away from the origin."""
    across = torch.linalg.qr(noise(size, 2)).Q.T
    angles = torch.linspace(0, 2 * math.pi, points, dtype=torch.float64)
    return 3.0 + radius * torch.stack([angles.cos(), angles.sin()], 1) @ across


def test_a_line_is_straight():
    ahead = torch.tensor([0.0, 1, 2, 4, 8])
    measured = travel(1.0 + ahead[:, None] * torch.full((4,), 0.5))
    assert measured["length"] == pytest.approx(8) and measured["displacement"] == pytest.approx(8)
    assert measured["straightness"] == pytest.approx(1) and measured["share_of_two"] == pytest.approx(1)
    assert measured["dimensions_99"] == 1


def test_a_way_forth_and_back_is_one_dimensional_and_leads_nowhere():
    measured = travel(torch.tensor([0.0, 3.0, 0.0])[:, None] * torch.ones(1, 4))
    assert measured["length"] == pytest.approx(12) and measured["straightness"] == 0
    assert measured["dimensions_99"] == 1


def test_a_circle_has_its_circumference_and_two_dimensions():
    measured = travel(circle(2.0, 1001))
    assert measured["length"] == pytest.approx(4 * math.pi, rel=1e-4)
    assert measured["straightness"] == pytest.approx(0, abs=1e-9)
    assert measured["dimensions_99"] == 2 and measured["share_of_two"] == pytest.approx(1)


def test_dimensions_count_equal_shares():
    """Steps to and from the 4 corners of a cross: 4 directions with a quarter of the variance each."""
    measured = travel(torch.cat([torch.eye(4), -torch.eye(4)]))
    assert measured["dimensions_99"] == 4 and measured["share_of_two"] == pytest.approx(0.5)


def test_a_random_walk_has_the_shares_that_theory_gives_it():
    """The k-th component of a long walk in many dimensions holds 6 / (pi k)^2 of its variance."""
    steps = 300
    measured = travel(noise(steps, 4000).cumsum(0))
    assert measured["straightness"] == pytest.approx(steps**-0.5, rel=0.05)
    assert measured["share_of_two"] == pytest.approx(6 / math.pi**2 * 1.25, abs=0.02)
    assert 50 <= measured["dimensions_99"] <= 65


def test_what_stands_still_has_no_direction():
    measured = travel(torch.ones(3, 4))
    assert measured["length"] == 0 and math.isnan(measured["straightness"]) and math.isnan(measured["share_of_two"])
    for measure in (travel, principal_directions):
        with pytest.raises(InputError, match="at least 2"):
            measure(torch.ones(1, 4))


def test_a_circle_is_laid_out_in_its_plane():
    points = circle(2.0, 9)[:6]
    directions, places = principal_directions(points)
    assert torch.allclose(directions @ directions.T, torch.eye(2, dtype=points.dtype))
    assert torch.allclose(points[-1] + places @ directions, points), "the plane holds the whole circle"
    assert (places[-1] == 0).all() and (places[0] <= 0).all()
    spread = places.var(dim=0)
    assert spread[0] > spread[1]


def test_a_line_still_has_a_plane():
    directions, places = principal_directions(torch.outer(torch.arange(4.0), torch.tensor([3.0, 4.0, 0.0])))
    assert torch.allclose(directions[0], torch.tensor([0.6, 0.8, 0.0]), atol=1e-6)
    assert torch.allclose(directions @ directions.T, torch.eye(2), atol=1e-6)
    assert torch.allclose(places, torch.tensor([[-15.0, 0], [-10, 0], [-5, 0], [0, 0]]), atol=1e-5)


def test_recorded_contents_are_the_optimizers_own(tiny, problems):
    """Slots of the batch are given up and taken over meanwhile; what is kept stays with its problem and restart."""
    config = OptimizerConfig(K=8, lr=0.1, num_steps=40, num_restarts=2, batch_size=2, stop_rule="exact")
    recorder = Recorder()
    results = ContentOptimizer(tiny, config).optimize(problems[:5], on_step=recorder)
    assert any(result.restarts_tried == 2 for result in results) and any(result.restart == 0 for result in results)
    assert len(recorder.contents) == sum(result.restarts_tried for result in results)
    for result in results:
        name = result.problem.id
        recorded = recorder.contents[name, result.restart]
        assert list(recorded) == list(range(1, result.steps + 1))
        assert torch.equal(recorded[result.best_step], result.content)
        start = initial_content(tiny, result.problem, config.K, config.start, config.seed, result.restart)
        points = recorder.points(start, name, result.restart)
        assert points.shape == (result.steps + 1, 8 * tiny.width)
        assert torch.equal(points[0], start.flatten()) and torch.equal(points[-1], recorded[result.steps].flatten())
        assert (points.diff(dim=0).abs() < 10 * config.lr).all(), "a step of Adam is no leap to another content"
    with pytest.raises(InputError, match="was recorded"):
        recorder.points(start, "other")


def test_only_every_so_many_steps_are_kept_and_none_twice(tiny, problems):
    config = OptimizerConfig(K=8, lr=0.1, num_steps=7, num_restarts=1)
    all_steps, some = Recorder(), Recorder(every=3)
    stop, calls = Event(), []

    def on_step(progress):
        all_steps(progress)
        some(progress)
        calls.append(progress)
        if len(calls) == 6:
            stop.set()

    list(ContentOptimizer(tiny, config).iterate(problems[:1], on_step=on_step, stop=stop))
    assert len(calls) == 7, "the case needs a call after the stop, in which nothing moved"
    key = problems[0].id, 0
    assert list(all_steps.contents[key]) == [1, 2, 3, 4, 5, 6] and list(some.contents[key]) == [3, 6]
    assert torch.equal(some.contents[key][3], all_steps.contents[key][3])
