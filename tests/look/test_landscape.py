"""The loss on lines and planes, and distances between contents."""

import numpy as np
import pandas as pd
import pytest
import torch

from dcm_helpers.look import along_line, barrier, losses_at, over_plane, pairwise, turned


def test_lines_and_planes_pass_through_their_contents(example):
    generator, found = example.generator, example.solutions
    one, two = found[0].content, found[1].content
    problem = found[0].problem
    line = along_line(generator, problem, one, two, [0.0, 0.5, 1.0])
    ends = losses_at(generator, problem, torch.stack([one, two]))
    assert line["loss"].iloc[[0, 2]].tolist() == pytest.approx(ends["loss"].tolist(), rel=1e-4)
    assert line["loss"].iloc[2] > line["loss"].iloc[0], "another pair's content serves worse"
    x, y = turned(one, "x"), turned(one, "y")
    around = over_plane(generator, problem, one, x, y, [-0.5, 0.0, 0.5])
    center = around[(around["x"] == 0) & (around["y"] == 0)]
    assert center["loss"].item() == pytest.approx(ends["loss"].iloc[0], rel=1e-4)
    corner = around[(around["x"] == 0.5) & (around["y"] == -0.5)]
    direct = losses_at(generator, problem, (one + 0.5 * x - 0.5 * y)[None])
    assert corner["loss"].item() == pytest.approx(direct["loss"].item(), rel=1e-4)
    assert torch.allclose(x.norm(dim=1), one.norm(dim=1)), "filter normalization"
    assert torch.equal(x, turned(one, "x")) and not torch.equal(x, y)


def test_barrier_is_the_rise_above_the_chord():
    line = pd.DataFrame({"t": [0, 0.25, 0.5, 0.75, 1], "loss": [1.0, 1.5, 5.0, 2.5, 3.0]})
    assert barrier(line) == pytest.approx(3.0)
    assert barrier(line.assign(loss=[1.0, 1.5, 2.0, 2.5, 3.0])) == pytest.approx(0.0)


def test_pairwise_distances_and_cosines():
    contents = torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]], [[3.0, 0.0]]])
    distances, cosines = pairwise(contents)
    assert np.allclose(distances, [[0, 5**0.5, 2], [5**0.5, 0, 13**0.5], [2, 13**0.5, 0]])
    assert np.allclose(cosines, [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
