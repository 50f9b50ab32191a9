"""How findings follow from tables, on tables with known answers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dcm_helpers.controls.across import told_over_text
from dcm_helpers.controls.replaced import side_by_side
from dcm_helpers.controls.transfer import shared_words
from dcm_helpers.inquiry import Answer, Finding, verdict
from dcm_helpers.look import half_radius
from dcm_helpers.solutions.clusters import most_telling
from dcm_helpers.solutions.landscape import radii
from dcm_helpers.stats import Estimate, Quantity, mean
from dcm_helpers.study import told


def test_of_equal_p_the_features_farthest_from_chance_are_shown():
    bands = {"chance": 1.0, "low": 0.9, "high": 1.1, "p": 0.001}
    rows = [{"features": name, "value": value} | bands for name, value in (("a", 0.8), ("b", 0.5), ("c", 0.7))]
    found = most_telling(pd.DataFrame([*rows, {"features": "d", "value": 0.1} | bands | {"p": 0.01}]))
    assert found.text() == "0.5 in b (chance 0.9 to 1.1), p=0.004" and found.p == pytest.approx(0.004)
    assert most_telling(pd.DataFrame(rows).assign(value=float("nan"))) is None


def test_paraphrases_that_share_a_word_are_told_apart(pairs):
    pair = replace(pairs[0], answer="The red planet", answer_paraphrases=("Mars, which is called red",))
    assert shared_words(pair, "answer") == {"red"}
    assert not shared_words(replace(pair, answer_paraphrases=("The one after Earth",)), "answer"), "'the' is no content"


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_contents_tell_is_a_share_of_what_texts_tell(share):
    """Contents that save a known share of what the text saves; what any content costs is the same on both sides."""
    held, width = [], []
    for seed in range(100):
        random = np.random.default_rng(seed)
        by_text, harm = random.gamma(4, 2, size=97), random.gamma(3, 5, size=97)
        rows = pd.DataFrame({"other_text": by_text + 30, "own_text": 30.0, "other": 30 + harm})
        rows["own"] = rows["other"] - share * by_text + random.normal(scale=2, size=97)
        found = told_over_text(rows)
        held.append(found.low < share < found.high)
        width.append(found.high - found.low)
    assert 0.88 <= np.mean(held) <= 0.99 and np.mean(width) < 0.15


def test_answers_are_corrected_together():
    """One of twenty that chance alone brings below 0.05 is not told; one that stands out is."""
    ps = [0.04, 1e-3, *np.linspace(0.1, 0.9, 18)]
    findings = [Finding("q", "m", [], [], Answer(f"{p}?", "yes", "", p)) for p in ps]
    findings.append(Finding("q", "m", [], [], Answer("untested?", "yes", "")))
    answers = told.answers_told(findings).set_index("question")
    assert answers["answer"].tolist() == ["not shown", "yes", *["not shown"] * 18, "yes"]
    assert float(answers.loc["0.001?", "corrected p"]) == pytest.approx(0.02)
    assert answers.loc["untested?", "corrected p"] == "" and told.p_text(0.0) == "below 0.0001"


def test_findings_on_very_few_pairs_are_called_anecdotes():
    few, enough = (Quantity("", mean([1.0, 2.0] * half)) for half in (4, 8))
    assert told.told([few]).endswith("n=8 (anecdote)") and told.told([enough]).endswith("n=16")


def test_success_of_all_on_both_sides_is_no_comparison():
    table = pd.DataFrame(
        {
            "steps_to_exact": [10, 20, 30.0],
            "nats": [5, 9, 16.0],
            "nats_without": [5, 10, 15.0],
            "loss": 0.1,
            "reconstructed": True,
        }
    )
    both = side_by_side(
        "q",
        "m",
        table,
        table.assign(steps_to_exact=[21, 40, 61], nats=[10, 19, 31.0], nats_without=[10, 21, 30.0]),
        "?",
    )
    assert both.figure[0].value.value == pytest.approx(1.0, rel=0.05), "what has twice the nats takes twice the steps"
    assert not any("difference" in each.name for each in both.control)
    some = side_by_side("q", "m", table, table.assign(reconstructed=[True, False, True]), "?")
    assert any("difference" in each.name for each in some.control)


def test_the_radius_at_which_half_is_lost():
    assert half_radius(pd.Series([1.0, 0.75, 0.25], index=[0.1, 0.2, 0.3])) == pytest.approx(0.25)
    assert half_radius(pd.Series([0.0], index=[0.1])) == pytest.approx(0.05), "all is kept at radius 0"
    assert half_radius(pd.Series([1.0, 1.0], index=[0.1, 0.2])) == 0.2
    two = pd.DataFrame(
        {"pair": list("aabb"), "radius": [0.1, 0.3] * 2, "teacher_forced_exact": [True, False, True, True]}
    )
    assert radii(two) == pytest.approx([0.2, 0.3])


def test_all_estimates_must_lie_on_one_side():
    below, across, above = (Estimate(value, value - 0.2, value + 0.2) for value in (0.7, 1.0, 1.4))
    assert verdict(1, "less", "more", below) == verdict(1, "less", "more", below, below) == "less"
    assert verdict(1, "less", "more", above, above) == "more"
    assert verdict(1, "less", "more", across) == verdict(1, "less", "more", below, across) == "not shown"
    assert verdict(1, "less", "more", below, above) == "not shown"
