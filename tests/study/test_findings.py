"""How findings follow from tables, on tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from dcm_helpers.controls.across import told_over_text
from dcm_helpers.inquiry import Answer, Finding, verdict
from dcm_helpers.stats import Estimate, Quantity, mean
from dcm_helpers.study import told


@pytest.mark.parametrize("over", ["other", "none"])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_contents_tell_is_a_share_of_what_texts_tell(share, over):
    """Contents that save a known share of what the text saves; what any content costs is the same on both sides."""
    held, width = [], []
    for seed in range(100):
        random = np.random.default_rng(seed)
        by_text, harm = random.gamma(4, 2, size=97), random.gamma(3, 5, size=97)
        rows = pd.DataFrame({f"{over}_text": by_text + 30, "own_text": 30.0, over: 30 + harm})
        rows["own"] = rows[over] - share * by_text + random.normal(scale=2, size=97)
        if over == "none":  # no text has no cost of its own
            rows["own_text"] = rows["none"] - by_text
        found = told_over_text(rows, over)
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


def test_all_estimates_must_lie_on_one_side():
    below, across, above = (Estimate(value, value - 0.2, value + 0.2) for value in (0.7, 1.0, 1.4))
    assert verdict(1, "less", "more", below) == verdict(1, "less", "more", below, below) == "less"
    assert verdict(1, "less", "more", above, above) == "more"
    assert verdict(1, "less", "more", across) == verdict(1, "less", "more", below, across) == "not shown"
    assert verdict(1, "less", "more", below, above) == "not shown"
