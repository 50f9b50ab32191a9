"""At the limit of a slot: blocks of equal texts, and both statistics on tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from dcm_helpers.controls.limit import (
    blocks,
    in_blocks,
    over_blocks,
    saved_when_exact,
    saved_when_left,
    seen_mostly,
)
from dcm_helpers.inquiry import StudyConfig, long_pairs
from dcm_helpers.stats import Estimate


def test_blocks_hold_the_same_texts_both_ways(tiny, pairs):
    problems = long_pairs(StudyConfig(controls=40))
    kinds = {pair.id: pair.question_type for pair in pairs}
    true, exchanged = (in_blocks(problems, how)(tiny, pairs) for how in (False, True))
    assert [each.id for each in true] == [each.id for each in exchanged] and len(true) >= 34
    assert [each.views[0] for each in true] == [each.views[0] for each in exchanged]
    for one in range(0, len(true), 2):
        first, second = true[one], true[one + 1]
        assert [each.views[1] for each in exchanged[one : one + 2]] == [second.views[1], first.views[1]]
    alike = [kinds[one.pair] == kinds[other.pair] for one, other in zip(true[::2], true[1::2], strict=True)]
    assert sum(alike) >= len(alike) - 4, "of one type, but for what is left of each"
    found = problems(tiny, pairs)
    again = blocks(found[::-1], [kinds[problem.pair] for problem in found[::-1]])
    assert [each.id for two in again for each in two] == [each.id for each in true], "whatever their order"


def made_up(shares, seed, blocks=24):
    """Blocks of two pairs at one slot that holds about 250 bits, if contents save a share of what one text tells."""
    random, rows = np.random.default_rng(seed), []
    for block in range(blocks):
        questions, answers = random.normal(75, 19, 2), random.normal(190, 60, 2)
        harder_q, harder_a, told = random.normal(0, 15, 2), random.normal(0, 25, 2), random.gamma(7, 5, 2)
        for q in range(2):
            for a in range(2):
                bits, true = questions[q] + answers[a], q == a
                over = bits + harder_q[q] + harder_a[a] - shares * told[a] * true - 250 + random.normal(0, 20)
                rows.append({"block": block, "true": true, "bits": bits, "told": told[a], "left": max(over, 0) + 5})
                rows[-1]["exact"] = over + random.logistic(0, 20) < 0
    return pd.DataFrame(rows)


@pytest.mark.parametrize("shares", [0.0, 1.0])
def test_intervals_hold_what_is_shared_and_tell_it_from_nothing(shares):
    """Half of the pairs fit, so what is saved shows in half of them alone: the share of bits left is about half."""
    held = []
    for seed in range(30):
        table = made_up(shares, seed)
        left = saved_when_left(table)
        held.append(left.low <= 0 <= left.high)
    assert np.mean(held) >= 0.9 if shares == 0 else np.mean(held) <= 0.2, "size under the null, power under sharing"


def test_what_would_be_seen_mostly_follows_from_the_interval():
    assert seen_mostly(Estimate(0.5, 0.5 - 1.96, 0.5 + 1.96, 12)) == pytest.approx(2.8)


def test_chances_of_being_exact_tell_the_bits_that_are_saved():
    found = {
        shares: np.median([saved_when_exact(made_up(shares, seed, 96)) for seed in range(20)]) for shares in (0, 1)
    }
    assert found[0] == pytest.approx(0, abs=0.25) and found[1] == pytest.approx(1, abs=0.35)


def test_intervals_over_blocks_hold_what_is_saved(monkeypatch):
    monkeypatch.setattr("dcm_helpers.controls.limit.RESAMPLES", 60)
    for shares in (0.0, 1.0):
        found = [over_blocks(made_up(shares, seed)) for seed in range(10)]
        assert np.mean([each.low <= shares <= each.high for each in found]) >= 0.8


def test_where_nothing_fits_what_is_left_still_tells():
    """No problem exact is no reason for an interval without an end."""
    table = made_up(1.0, 0).assign(exact=False)
    left = saved_when_left(table)
    assert np.isfinite([left.low, left.high]).all() and left.n == 24
    assert left.value == pytest.approx(
        (table[~table["true"]]["left"].sum() - table[table["true"]]["left"].sum()) / table[table["true"]]["told"].sum()
    )
