"""At the limit of a slot: blocks of equal texts, and both statistics on tables with known answers."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from stand_ins import Told, values_of

from dcm_helpers.controls.limit import (
    SETS,
    at_the_limit,
    blocks,
    in_blocks,
    less_left,
    limit,
    limit_parts,
    of_words_in,
    over_blocks,
    saved_when_exact,
    saved_when_left,
)
from dcm_helpers.inquiry import long_pairs
from dcm_helpers.look import nats_after, nats_of_tokens
from dcm_helpers.stats import mean, seen_mostly
from dcm_helpers.stm import View


def test_blocks_hold_the_same_texts_both_ways(tiny, pairs):
    problems = long_pairs(40)
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


def made_up(shares, seed, blocks=24, words=0.0):
    """Blocks of two pairs at one slot that holds about 250 bits, if contents save a share of what one text tells."""
    random, rows = np.random.default_rng(seed), []
    for block in range(blocks):
        questions, answers = random.normal(75, 19, 2), random.normal(190, 60, 2)
        harder_q, harder_a, told = random.normal(0, 15, 2), random.normal(0, 25, 2), random.gamma(7, 5, 2)
        for q in range(2):
            for a in range(2):
                bits, true = questions[q] + answers[a], q == a
                over = bits + harder_q[q] + harder_a[a] - shares * told[a] * true - 250 + random.normal(0, 20)
                rows.append({"block": block, "true": true, "told": told[a], "left": max(over, 0) + 5})
                rows[-1] |= {"bits_question": questions[q], "bits_answer": answers[a], "repeated": words}
                rows[-1]["exact"] = over + random.logistic(0, 20) < 0
    return pd.DataFrame(rows)


def test_size_and_power_of_a_study_of_twelve_blocks():
    """Half of the pairs fit, so what is shared shows in half of them alone: the share of bits left is about half."""
    none, half, all_ = ([saved_when_left(made_up(shares, seed, 12)) for seed in range(300)] for shares in (0, 0.5, 1))
    assert 0.02 <= np.mean([each.low > 0 or each.high < 0 for each in none]) <= 0.07, "the null"
    shown = [np.mean([each.low > 0 for each in found]) for found in (half, all_)]
    assert 0.3 <= shown[0] <= 0.5 and 0.75 <= shown[1] <= 0.9
    assert np.mean([each.value for each in all_]) == pytest.approx(0.48, abs=0.05), "no share of what is shared"
    seen = np.median([seen_mostly(each) for each in all_])
    assert seen == pytest.approx(0.48, abs=0.06), "an effect of about that size is shown about four times of five"


def test_bits_less_left_have_their_size_and_their_power():
    """The answer's own statistic, on the same made-up studies."""

    def found(shares):
        return [mean(less_left(made_up(shares, seed, 12)) / 2) for seed in range(300)]

    assert 0.02 <= np.mean([each.p < 0.05 for each in found(0)]) <= 0.07, "the null"
    assert 0.75 <= np.mean([each.low > 0 for each in found(1)]) <= 0.95


def test_chances_of_being_exact_tell_the_bits_that_are_saved():
    """35 bits are told of an answer here."""
    found = {
        shares: np.median([saved_when_exact(made_up(shares, seed, 96)) for seed in range(20)]) for shares in (0, 1)
    }
    assert found[0] == pytest.approx(0, abs=7) and found[1] == pytest.approx(35, abs=7)


def test_intervals_over_blocks_hold_what_is_saved(monkeypatch):
    monkeypatch.setattr("dcm_helpers.controls.limit.RESAMPLES", 60)
    for shares in (0.0, 1.0):
        found = [over_blocks(made_up(shares, seed)) for seed in range(10)]
        assert np.mean([each.low <= 35 * shares <= each.high for each in found]) >= 0.8


def test_growth_with_what_is_told_is_not_that_of_longer_texts():
    """Longer texts leave more and are told more of; of equal lengths nothing grows."""
    random = np.random.default_rng(0)
    rows = []
    for block, long in enumerate(random.gamma(20, 5, 120)):
        for true in (True, False):
            left = {True: 10.0, False: 10 + 0.5 * long + random.normal(0, 8)}[true]
            bits = {"bits_question": long, "bits_answer": 2 * long, "told": long + random.normal(0, 8), "repeated": 0.0}
            rows += [{"block": block, "true": true, "left": left, "exact": False, "set": "long", **bits}] * 2
    (found,) = at_the_limit("long", Told(pd.DataFrame(rows), steps=150))
    assert found.answer.answer.startswith("yes")
    grows = values_of(found)["its rank correlation with these, bits of both texts held"]
    assert grows.low < 0 < grows.high


def test_where_nothing_fits_what_is_left_still_tells():
    """No problem exact is no reason for an interval without an end."""
    table = made_up(1.0, 0).assign(exact=False)
    left = saved_when_left(table)
    assert np.isfinite([left.low, left.high]).all() and left.n == 24
    assert left.value == pytest.approx(
        (table[~table["true"]]["left"].sum() - table[table["true"]]["left"].sum()) / table[table["true"]]["told"].sum()
    )


def test_every_row_says_what_its_own_texts_cost(tiny, pairs):
    """Losses that are known, of true and of exchanged pairs; what a question tells is asked of the Generator."""
    of_pairs = {pair.id: pair for pair in pairs}
    solved = {}
    for name in SETS:
        for part, exchanged in zip(limit_parts(name), (False, True), strict=True):
            problems = in_blocks(long_pairs(4), exchanged)(tiny, pairs)
            solved[part] = [
                SimpleNamespace(
                    problem=problem,
                    record={
                        "views": [{"loss": 1.0}, {"loss": 3.0 if exchanged else 2.0}],
                        "reconstructed": not exchanged,
                    },
                )
                for problem in problems
            ]
    study = SimpleNamespace(generator=tiny, run=lambda part: SimpleNamespace(solutions=solved[part], pairs=of_pairs))
    table = limit(study)
    assert len(table) == 16 and table.groupby(["set", "block"]).size().eq(4).all()
    for _, block in table.groupby(["set", "block"]):
        true, exchanged = block[block["true"]], block[~block["true"]]
        for kind in ("bits_question", "bits_answer", "told"):
            assert sorted(true[kind]) == pytest.approx(sorted(exchanged[kind])), "equal texts on both sides"
        assert true["exact"].all() and not exchanged["exact"].any()
    first = solved["long-K1"][0].problem
    row = table[(table["problem"] == first.id) & table["true"]].iloc[0]
    lengths = [len(view.target_ids) for view in first.views]
    assert row["left"] == pytest.approx((lengths[0] + 2 * lengths[1]) / math.log(2))
    partner = next(
        each.problem
        for each in solved["long-K1"]
        if each.problem.id != first.id and table.set_index("problem")["block"][each.problem.id].iloc[0] == row["block"]
    )
    question, answer = (first.view(kind) for kind in ("question", "answer"))
    asked = [replace(answer, given_ids=each.view("question").target_ids[:-1]) for each in (first, partner)]
    (own,), (other,) = nats_after(tiny, asked, None)
    assert row["told"] == pytest.approx((other - own) / math.log(2))
    assert row["bits_question"] == pytest.approx(nats_after(tiny, [question], None)[0][0] / math.log(2))


def test_common_words_cost_what_they_cost_where_they_stand_first(tiny):
    answer = View.of(tiny, "the red moon of the red planet", "A", kind="answer")
    costs = nats_of_tokens(tiny, answer)
    assert sum(costs) == pytest.approx(nats_after(tiny, [answer], None)[0][0], rel=1e-5)
    said = [tiny.text([token]).strip().lower() for token in answer.target_ids[:-1]]
    expected = sum(costs[said.index(word)] for word in {*said} if word.isalnum())
    assert of_words_in(tiny, answer, answer) == pytest.approx(expected, rel=1e-5), "all of its words, once each"
    assert of_words_in(tiny, answer, View.of(tiny, "?!", "Q", kind="question")) == 0


@pytest.mark.parametrize(
    ("shares", "words", "says"),
    [
        (0.0, 0.0, "not shown"),
        (2.0, 0.0, "yes; more than common words"),
        (2.0, 40.0, "yes; not shown to exceed common words"),
        (-2.0, 0.0, "no, more"),
    ],
)
def test_the_answer_follows_from_what_is_left(monkeypatch, shares, words, says):
    monkeypatch.setattr("dcm_helpers.controls.limit.RESAMPLES", 40)
    study = Told(made_up(shares, 1, 12, words).assign(set="long"), steps=150)
    (found,) = at_the_limit("long", study)
    assert found.answer.answer == says and "after 150 steps" in found.measured
    known = values_of(found)
    true, exchanged = known["bits left of a pair, true and exchanged"]
    assert (true < exchanged) == (found.figure[0].value.value > 0)
    assert any("equal chances of being exact" in name for name in known)
    assert found.figure[0].value.value == pytest.approx(exchanged - true)
