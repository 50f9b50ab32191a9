"""Landscape: barriers, curves and radii, of tables whose pairs are known."""

import numpy as np
import pandas as pd
import pytest
from stand_ins import Told, values_of

from dcm_helpers.look import half_radius
from dcm_helpers.solutions.curves import joined
from dcm_helpers.solutions.landscape import one_or_many, radii, sharpness_and_travel

PAIRS = [f"p{index:02}" for index in range(16)]


def tables(rise):
    """Three solutions of each of sixteen pairs; all lines but a pair's first have the given barrier."""
    between = pd.DataFrame(
        {"family": "base", "pair": np.repeat(PAIRS, 3), "relative": 1.5, "cosine": 0.1, "start_cosine": 0.4}
    ).assign(barrier=[0.05, rise, rise + 0.02] * 16)
    way = pd.DataFrame({"family": "base", "pair": np.repeat(PAIRS, 2), "barrier": 0.0})
    basin = pd.DataFrame(
        [
            {
                "family": "base",
                "pair": pair,
                "radius": radius,
                "teacher_forced_exact": radius < 0.15 + 0.1 * (index % 2),
            }
            for index, pair in enumerate(PAIRS)
            for radius in (0.1, 0.2, 0.3)
        ]
    )
    return {"between": between, "way": way, "basin": basin}


@pytest.mark.parametrize(
    ("rise", "says"), [(3.0, "no, many that no straight line joins"), (0.01, "many that lines join")]
)
def test_barriers_are_a_pairs_mean_and_decide(rise, says):
    distance, barrier, noise = one_or_many(Told(tables(rise)))
    assert distance.figure[0].value.value == 1.5 and barrier.answer.answer == says
    assert barrier.figure[0].value.value == pytest.approx((0.05 + 2 * rise + 0.02) / 3)
    assert barrier.figure[0].value.n == 16, "the unit is the pair, not the line"
    joined_share = values_of(barrier)["share that is joined (below 0.1):"].value
    assert joined_share == pytest.approx(1 / 3 if rise > 1 else 1)
    assert noise.figure[0].value.value == pytest.approx(0.2), "the median of 0.15 and 0.25"


def test_the_radius_at_which_half_is_lost():
    assert half_radius(pd.Series([1.0, 0.75, 0.25], index=[0.1, 0.2, 0.3])) == pytest.approx(0.25)
    assert half_radius(pd.Series([0.0], index=[0.1])) == pytest.approx(0.05), "all is kept at radius 0"
    assert half_radius(pd.Series([1.0, 1.0], index=[0.1, 0.2])) == 0.2
    two = pd.DataFrame(
        {"pair": list("aabb"), "radius": [0.1, 0.3] * 2, "teacher_forced_exact": [True, False, True, True]}
    )
    assert radii(two) == pytest.approx([0.2, 0.3])


def test_sharpness_at_contents_is_told_beside_their_starts():
    sharp = pd.DataFrame({"family": "base", "at": ["content", "start"] * 8, "relative": [30.0, 900.0] * 8})
    trips = pd.DataFrame(
        {"family": "base", "dimensions_99": 6.0, "dimensions_99_random": 42.0, "straightness": [0.5] * 8}
    )
    found, travel = sharpness_and_travel(Told({"curvature": sharp, "trajectories": trips}))
    assert (found.figure[0].value.value, found.control[0].value.value) == (30, 900)
    assert values_of(travel)["length over displacement"].value == 2
    assert values_of(travel)["of a random walk of such steps"].value == 42


@pytest.mark.parametrize(("curved", "says"), [(0.02, "yes"), (0.5, "not all")])
def test_curves_join_where_lines_do_not(curved, says):
    noise = np.random.default_rng(0).normal(0, 0.001, 16)
    table = pd.DataFrame({"pair": PAIRS, "straight": 7.0 + noise, "curved": curved + noise, "length": 1.15}).assign(
        teacher_forced_exact=1.0
    )
    (found,) = joined(Told(table))
    assert found.answer.answer == says and found.figure[0].value.value == pytest.approx(curved, abs=0.001)
    known = values_of(found)
    assert known["joined by the curve (below 0.1):"].value == (1 if curved < 0.1 else 0)
    assert known["by the line"].value == 0
