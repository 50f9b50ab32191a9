"""Variety: which features a share was found in, and what slots are worth, on tables that were made up."""

import pandas as pd
import pytest
from stand_ins import Told, problems, values_of

from dcm_helpers.inquiry import KINDS
from dcm_helpers.solutions.variety import of_slots, of_the_pair


def heterogeneity(again):
    rows = [
        {
            "features": kind,
            "figure": "found again",
            "value": share,
            "low": share - 0.05,
            "high": share + 0.05,
            "p": 0.02,
        }
        for kind, share in zip(KINDS, again, strict=True)
    ]
    rows += [{"features": kind, "figure": "found again by chance", "value": 0.1} for kind in KINDS]
    rows += [{"features": kind, "figure": "ICC", "value": 0.2, "low": 0.1, "high": 0.3} for kind in KINDS]
    rows += [{"features": "flattened", "figure": "participation ratio", "value": 15.0}]
    rows += [
        {"features": "row space", "figure": f"overlap {which}", "value": 0.01}
        for which in ("within", "between", "expected")
    ]
    return pd.DataFrame(rows).assign(family="base")


def test_every_kind_of_features_is_told_and_the_choice_corrected():
    again, _ = of_the_pair(Told(heterogeneity((0.3, 0.9, 0.8, 0.7))))
    known = values_of(again)
    assert known[""].value == 0.9 and known["by chance"] == 0.1 and again.answer.answer == "yes"
    assert [known[f"in {kind}"].value for kind in KINDS if kind != "mean slot"] == [0.3, 0.8, 0.7]
    assert again.answer.p == pytest.approx(0.08), "one of four kinds of features was chosen"
    nothing, _ = of_the_pair(Told(heterogeneity((0.1, 0.12, 0.1, 0.1))))
    assert nothing.answer.answer == "not shown"


def test_slots_that_nothing_hangs_on():
    """Of four slots one decides: without it nothing is exact; no other order is."""
    rows = [
        {"pair": pair, "change": change, "index": index}
        | {"teacher_forced_exact": change == "slot" and index > 0, "loss": 3.1 if index == 0 else 0.1}
        for pair in ("pair-00", "pair-01")
        for change in ("slot", "order")
        for index in range(4)
    ]
    (found,) = of_slots(Told(pd.DataFrame(rows), {"base": problems([9.0, 9.0])}))
    known = values_of(found)
    assert known[""].value == 0.75 and known["other orders of the slots that stay so:"].value == 0
    assert known["importance of slots (loss without them), Gini:"].value == pytest.approx(0.75), "all in one of four"
