"""Exactness elsewhere: a content counts only if no condition broke it."""

import itertools

import pandas as pd
import pytest
from stand_ins import Told, values_of

from dcm_helpers.controls.exactness import travels


def test_one_condition_is_enough_to_break_a_content():
    rows = [
        {"rule": rule, "problem": f"p{index}", "margin": 0.1 * (index + 1), "dtype": dtype, "attention": attention}
        | {"decoder": decoder, "batch": 1}
        | {"exact": not (rule == "exact" and index < 3 and dtype == "bfloat16" and decoder == "generate")}
        for rule, index, dtype, attention, decoder in itertools.product(
            ("exact", "confident"), range(40), ("float32", "bfloat16"), ("sdpa", "eager"), ("ours", "generate")
        )
    ]
    exact, confident = travels(Told(pd.DataFrame(rows)))
    known = values_of(exact)
    assert known[""].value == 37 / 40 and exact.answer.answer == "not always"
    assert known["under every kernel and batch in float32"].value == 1
    assert known["under every kernel and batch in bfloat16"].value == 37 / 40
    assert known["in the worst of all conditions"] == 37 / 40 and known["largest that broke"] == pytest.approx(0.3)
    assert confident.answer.answer == "yes" and "largest that broke" not in values_of(confident)
    small = [
        values_of(each)["contents with a margin as small as one that broke, of any rule:"]
        for each in (exact, confident)
    ]
    assert small == [3, 3], "whether others were tried as hard is told, too"
