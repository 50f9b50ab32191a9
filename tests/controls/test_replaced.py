"""Conditions side by side: steps, steps for each nat, and whether steps grow with nats at all."""

import numpy as np
import pandas as pd
import pytest
from stand_ins import Told, problems, values_of

from dcm_helpers.controls.replaced import COMPARED, compared, side_by_side, what_modes_do

NATS = np.linspace(50, 200, 24)


def condition(steps, nats, **columns):
    return problems(steps - 1, nats=nats, nats_without=nats, **columns)


@pytest.mark.parametrize(
    ("steps", "nats", "grow", "says"),
    [
        (NATS / 8, NATS / 2, (1, 1), "fewer, but of fewer nats"),
        (NATS / 2, NATS, (1, 1), "not shown"),
        (NATS / 4, NATS / 8, (1, 1), "fewer, but of fewer nats"),
        (NATS, 2 * NATS, (1, 1), "more, but of more nats"),
        (np.full(24, 5.0), NATS, (0, 1), "fewer"),
    ],
)
def test_steps_and_steps_for_each_nat(steps, nats, grow, says):
    """The other condition takes a step for every two nats."""
    noise = np.exp(np.random.default_rng(0).normal(0, 0.05, (2, 24)))
    first, second = condition(steps * noise[0], nats), condition(NATS / 2 * noise[1], NATS)
    found = side_by_side("q", "m", first, second, "?")
    known = values_of(found)
    assert found.answer.answer == says
    assert known[""].value == pytest.approx(np.exp(np.mean(np.log(steps / (NATS / 2)))), rel=0.05)
    assert known["nats at the start"].value == pytest.approx(np.exp(np.mean(np.log(nats / NATS))))
    assert known["steps for each nat at the start"].value * known["nats at the start"].value == pytest.approx(
        known[""].value
    )
    assert known["steps grow with nats to the power of"] == pytest.approx(grow, abs=0.1)


def test_steps_that_were_merely_given_are_a_bound():
    """Of the other condition hardly one is exact: had they been given more steps, the ratio would be smaller."""
    spent = condition(np.full(24, 151.0), 4 * NATS).assign(reconstructed=[True] + [False] * 23)
    found = side_by_side("q", "m", condition(NATS / 4, NATS), spent, "?")
    assert found.answer.answer == "fewer (a bound), but of fewer nats" and found.answer.p == values_of(found)[""].p
    assert not any("power" in name for name in values_of(found)), "of steps that were given none can be fitted"
    reverse = side_by_side("q", "m", spent, condition(NATS / 4, NATS), "?")
    assert reverse.answer.answer == "more (a bound), but of more nats"
    fewer_given = side_by_side("q", "m", spent, condition(NATS * 4, 4 * NATS), "?")
    assert fewer_given.answer.answer == "not shown", "fewer may be all that were given"


def test_success_of_all_on_both_sides_is_no_comparison():
    table = condition(np.array([10.0, 20, 30]), np.array([5.0, 9, 16]))
    both = side_by_side("q", "m", table, table, "?")
    assert not any("difference" in name for name in values_of(both))
    some = side_by_side("q", "m", table, table.assign(reconstructed=[True, False, True]), "?")
    assert any("difference" in name for name in values_of(some))


def test_a_single_pair_is_told_without_a_test():
    table = condition(np.array([10.0]), np.array([5.0]))
    found = side_by_side("q", "m", table, table.assign(steps_to_exact=19.0), "?")
    assert found.answer.p is None and found.answer.answer == "not shown"
    assert not any("power" in name for name in values_of(found))


def test_each_pair_is_set_beside_itself():
    """Parts in other orders, and one of them with more pairs."""
    row = COMPARED[0]
    _, _, one, other, _ = row
    first, second = problems([9.0, 19, 29, 39]), problems([119.0, 79, 39]).set_axis([3, 2, 1])
    second.index = pd.Index([first.index[place] for place in (2, 1, 0)], name="problem")
    costs = [
        pd.DataFrame({"part": part, "problem": found.index, "nats": 2.0, "nats_without": 1.0})
        for part, found in ((one, first), (other, second))
    ]
    (found,) = compared(row)(Told(pd.concat(costs), {one: first, other: second}))
    assert found.figure[0].value.value == pytest.approx(0.25) and found.figure[0].value.n == 3


def test_what_is_written_is_counted_by_place():
    rows = [
        *({"modes": "removed", "view": "Q", "wrote": wrote} for wrote in ("own", "other", "neither", "neither")),
        *({"modes": "removed", "view": "A", "wrote": wrote} for wrote in ("neither",) * 4),
        *({"modes": "other words", "view": view, "wrote": "own"} for view in "QA"),
    ]
    removed, other_words = what_modes_do(Told(pd.DataFrame(rows)))
    assert [each.value.value for each in (*removed.figure, *removed.control)] == [0.25, 0.25, 0, 0]
    assert [each.value.value for each in (*other_words.figure, *other_words.control)] == [1, 0, 1, 0]
