"""Exactness elsewhere: a content counts only if no condition broke it."""

import itertools

import pandas as pd
import pytest
from stand_ins import Told, values_of

from dcm_helpers.controls.exactness import by_condition, travels


def test_one_condition_is_enough_to_break_a_content():
    rows = [
        {"rule": rule, "problem": f"p{index}", "margin": 0.1 * (index + 1), "dtype": dtype, "attention": attention}
        | {"decoder": decoder, "batch": 1}
        | {"exact": not (rule == "exact" and index < 3 and dtype == "bfloat16" and decoder == "generate")}
        for rule, index, dtype, attention, decoder in itertools.product(
            ("exact", "confident"), range(40), ("float32", "bfloat16"), ("sdpa", "eager"), ("ours", "generate")
        )
    ]
    study = Told(pd.DataFrame(rows))
    told = by_condition(study).set_index(["precision", "attention", "decoded"])
    assert told.shape == (8, 2) and told.loc[("bfloat16", "eager", "by Hugging Face's generate"), "exact"] == "37 of 40"
    assert (told.drop(index="bfloat16", level=0) == "40 of 40").all(axis=None)
    exact, confident = travels(study)
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
