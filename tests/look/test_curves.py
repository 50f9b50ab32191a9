"""Curved paths: on a surface whose valleys are known, and between contents."""

import pytest
import torch

from dcm_helpers.look import along_curve, along_line, barrier, low_curve, on_curve
from dcm_helpers.look.curves import bend


def test_a_curve_goes_from_end_to_end_and_bends():
    start, middle, end = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    places = on_curve(start, middle, end, torch.tensor([0.0, 0.5, 1.0]))
    assert torch.allclose(places[0], start) and torch.allclose(places[2], end)
    assert torch.allclose(places[1], start / 4 + middle / 2 + end / 4)


@pytest.mark.parametrize("wall", [False, True])
def test_a_ring_is_followed_and_a_wall_is_not_passed(wall):
    """Two places of a valley that is a circle, a third of a turn apart; and the same with a wall across every path."""

    def value(contents):
        first, second = contents[:, 0, 0], contents[:, 0, 1]
        ring = ((first**2 + second**2).sqrt() - 1) ** 2
        return ring + (5 * torch.exp(-((first / 0.1) ** 2)) if wall else 0)

    start = torch.tensor([[-(3**0.5) / 2, 0.5, 0.0]])
    end = start * torch.tensor([[-1.0, 1.0, 1.0]])
    t = torch.linspace(0, 1, 101)
    straight = value(start + t[:, None, None] * (end - start)).max()
    curved = value(on_curve(start, bend(value, start, end, 300, 0.03), end, t)).max()
    if wall:
        assert curved > 4, "what lies across every path cannot be bent around"
    else:
        assert straight > 0.2 and curved < 0.01


def test_curves_between_contents_are_lower_than_lines(tiny, example):
    one, other = [each for each in example.solutions if each.record["reconstructed"]][:2]
    t = torch.linspace(0, 1, 9).tolist()
    ends = one.content, other.content
    middle = low_curve(tiny, one.problem, *ends, 30, 0.03)
    again = low_curve(tiny, one.problem, *ends, 30, 0.03)
    assert torch.equal(middle, again), "seeded by the problem"
    line, curve = along_line(tiny, one.problem, *ends, t), along_curve(tiny, one.problem, ends[0], middle, ends[1], t)
    assert curve["loss"].iloc[[0, -1]].tolist() == pytest.approx(line["loss"].iloc[[0, -1]].tolist(), rel=1e-4)
    assert curve["loss"].mean() < line["loss"].mean() and barrier(curve) <= barrier(line) + 1e-6
