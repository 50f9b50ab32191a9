"""Clusters: what is told of related pairs, and for which choice of features it is corrected."""

import pandas as pd
import pytest
from stand_ins import Told

from dcm_helpers.solutions.clusters import RELATED, most_telling, repeated, together


def test_of_equal_p_the_features_farthest_from_chance_are_shown():
    bands = {"chance": 1.0, "low": 0.9, "high": 1.1, "p": 0.001}
    rows = [{"features": name, "value": value} | bands for name, value in (("a", 0.8), ("b", 0.5), ("c", 0.7))]
    found = most_telling(pd.DataFrame([*rows, {"features": "d", "value": 0.1} | bands | {"p": 0.01}]))
    assert found.text() == "0.5 in b (chance 0.9 to 1.1), p=0.004" and found.p == pytest.approx(0.004)
    assert most_telling(pd.DataFrame(rows).assign(value=float("nan"))) is None


def test_contents_answer_and_starts_and_text_stand_beside_them():
    band = {"chance": 0.1, "low": 0.05, "high": 0.15}
    rows = [
        {"of": of, "features": features, "label": label, "measure": measure, "value": value, "p": p} | band
        for label in RELATED
        for measure in ("kNN accuracy", "AMI", "distance ratio")
        for of, value, p in (("contents", 0.4, 0.001), ("starts", 0.1, 0.6), ("text", 0.9, 0.001))
        for features in ("one", "two")
    ]
    table = pd.DataFrame(rows)
    found = together(Told(table))
    answers = [each.answer for each in found if each.answer]
    assert len(answers) == len(RELATED) and {each.answer for each in answers} == {"more than chance"}
    assert {each.p for each in answers} == {0.002}, "one of two kinds of features was chosen"
    assert [quantity.name for quantity in found[0].control] == ["starts", "text"]
    chance = together(Told(table.assign(p=0.03)))
    assert {each.answer.answer for each in chance if each.answer} == {"not shown"}, "0.06 for the choice of two"


def test_a_name_that_stands_alone_is_no_group():
    assert repeated(["Mars", "Io", "Mars"]) == ["Mars", "", "Mars"]
