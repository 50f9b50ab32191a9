"""Capacity: the fewest slots, bits a slot, and what decides how hard a pair is, on parts of known outcome."""

import math

import numpy as np
import pandas as pd
import pytest
from stand_ins import Told, problems, values_of

from dcm_helpers.solutions.capacity import fewest_slots, how_many_slots, what_is_hard, where_one_is_too_few

PAIRS = [f"pair-{index:02}" for index in range(24)]
BITS = np.arange(24) * 10.0 + 100
TEXTS = pd.DataFrame({"pair": PAIRS, "tokens": 20, "nats_without": BITS * math.log(2)})


def part(most_bits, steps=20):
    """A part that writes what holds at most so many bits."""
    return problems(
        [steps + bits if bits <= most_bits else 301 for bits in BITS], PAIRS, reconstructed=most_bits >= BITS
    )


def records(pairs):
    return [{"pair": pair, "views": [{"loss": 0.0, "target_ids": [1, 2]}] * 2} for pair in pairs]


def test_the_fewest_slots_at_which_most_are_exact():
    parts = {"K1": part(150), "K2": part(240), "exact-K4": part(1000), "base": part(1000)}
    study = Told(TEXTS, parts, {name: records(PAIRS) for name in parts}, capacities=(1, 2, 4))
    *by_size, hard = how_many_slots(study)
    assert [each.figure[0].value.value for each in by_size] == [6 / 24, 15 / 24, 1, 1]
    assert [each.answer and each.answer.answer for each in by_size] == [None, None, "4 for most", None], (
        "62 % of 24 are not shown to be most"
    )
    assert values_of(by_size[0])["most"] == pytest.approx(150) and values_of(by_size[1])["most"] == pytest.approx(120)
    assert "within 300 steps, K=1" in by_size[0].measured
    assert hard.figure[0].value.value > 0.7, "steps grow with bits as far as pairs are written"
    assert [values_of(hard)[f"pairs whose fewest slots are {size}:"] for size in (1, 2, 4)] == [6, 9, 9]


def test_pairs_that_no_size_writes_have_no_fewest():
    fewest = fewest_slots({1: part(120).set_index("pair"), 2: part(200).set_index("pair")})
    assert fewest.value_counts().to_dict() == {1: 3, 2: 8, np.inf: 13}


def test_hardness_is_told_where_pairs_differ():
    sums = TEXTS.set_index("pair")
    none, some = (part(most).set_index("pair") for most in (0, 1000))
    assert "K=2" in what_is_hard({1: none, 2: some}, sums).measured, "with one slot all took the same steps"


def test_longer_answers_need_more_slots():
    parts = {f"exact-long-K{size}": part(most) for size, most in ((2, 200), (4, 300), (8, 1000))} | {"long-K1": part(0)}
    *by_size, decides = where_one_is_too_few(Told(TEXTS, parts))
    assert [each.figure[0].value.value for each in by_size] == [0, 11 / 24, 21 / 24, 1]
    assert by_size[2].answer.answer == "4 for most" and by_size[1].answer is None
    assert values_of(by_size[1])["bits of those that are: median"] == 150
    assert decides.figure[0].value.value == pytest.approx(0.95, abs=0.05)


def test_sizes_are_compared_on_the_pairs_that_all_have():
    """At one slot there are longer pairs, too: of those that both sizes have, all are written with one slot."""
    parts = {"long-K1": part(210), "exact-long-K2": part(1000).iloc[:12]}
    one, _ = where_one_is_too_few(Told(TEXTS, parts))[:2]
    assert one.figure[0].value.value == 1 and one.figure[0].value.n == 12
