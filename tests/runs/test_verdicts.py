"""Rates, gates, tiers and readings on records with known answers."""

import pytest

from dcm_helpers.runs.verdicts import (
    below_task,
    reading,
    summarize_stage1,
    summarize_stage2,
    summarize_stage3,
    too_few_converged,
)
from dcm_helpers.stats import rate


def entry(problem="p/joint", kind="joint", reconstructed=True, converged=True, ratio=0.1, context=1.0, steps=10):
    view = {
        "loss_text": 4 * ratio,
        "baselines": {"random": {"loss_text": 4.0}, "full_context": {"loss_text": 4 * ratio / context}},
    }
    return {
        "problem": problem,
        "kind": kind,
        "reconstructed": reconstructed,
        "converged": converged,
        "steps": steps,
        "steps_to_exact": steps - 3 if reconstructed else None,
        "restarts_tried": 1,
        "seconds": 1.0,
        "stop_reason": "exact" if reconstructed else "stalled",
        "loss": 8 * ratio,
        "views": [{**view, "kind": each} for each in ("question", "answer")],
    }


def test_wilson_interval():
    """Against the textbook value for 8 of 10."""
    result = rate(8, 10)
    assert (result["low"], result["high"]) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert rate(0, 0)["rate"] is None


def test_stage1_gate_is_on_all_targets():
    def records(good):
        return [
            entry(f"{index}/{kind}", kind, reconstructed=index < good, converged=None)
            for index in range(10)
            for kind in ("question", "answer")
        ]

    assert summarize_stage1(records(7), 20)["gate_passed"] is True
    assert summarize_stage1(records(6), 20)["gate_passed"] is False
    assert summarize_stage1(records(6), 20)["targets"]["question"]["reconstructed"]["count"] == 6
    assert summarize_stage1(records(7), 30)["gate_passed"] is None, "not before all have ended"
    assert summarize_stage1([], 20) is None


def test_who_is_not_below_a_task_level_prompt_is_named():
    def answered(pair, loss, task):
        question, answer = {"kind": "question", "loss": 9.0, "baselines": {}}, {"kind": "answer", "loss": loss}
        return {"pair": pair, "views": [question, {**answer, "baselines": {"task": {"loss": task, "loss_text": 0.0}}}]}

    below = below_task([answered("a", 0.1, 0.2), answered("b", 0.2, 0.2), answered("c", None, 0.2)])
    assert (below["count"], below["n"], below["not_below"]) == (1, 3, ["b", "c"])
    assert below_task([{"pair": "d", "views": [{"kind": "answer", "loss": 0.1, "baselines": {"task": None}}]}]) is None
    assert below_task([{"pair": "e", "views": [{"kind": "answer", "loss": 0.1}]}]) is None, "a part of a study"


def test_speed_is_steps_to_exact_and_steps_are_all():
    """Only what was reconstructed counts; a content that only the decoder found exact has no such step."""
    records = [entry(steps=20), entry(steps=40), entry(steps=99, reconstructed=False)]
    unseen = {**entry(steps=60), "steps_to_exact": None}
    summary = summarize_stage2([*records, unseen], 4)
    assert summary["steps"] == {"mean": 40, "median": 40, "max": 60}
    assert summary["steps_to_exact"] == {"mean": 27, "median": 27, "max": 37}


@pytest.mark.parametrize(
    ("converged", "ratio", "context", "tier"),
    [
        (10, 0.1, 1.1, "excellent"),
        (10, 0.1, 1.4, "good"),
        (9, 0.1, 1.1, "good"),  # "> 90 %" is not reached by 90 %
        (10, 0.3, 1.1, "minimum viable"),
        (5, 0.1, 1.1, "minimum viable"),
        (10, 0.1, 2.1, None),
        (4, 0.1, 1.1, None),
    ],
)
def test_tier_needs_all_three_columns(converged, ratio, context, tier):
    records = [entry(converged=index < converged, ratio=ratio, context=context) for index in range(10)]
    summary = summarize_stage2(records, 10)
    assert summary["tier"] == tier
    assert summary["random_ratio"] == pytest.approx(ratio)
    assert summary["context_ratio"]["answer"] == pytest.approx(context)


def test_tier_without_contexts_and_with_a_broken_record():
    record = entry()
    for view in record["views"]:
        view["baselines"]["full_context"] = None
    broken = entry(reconstructed=False, converged=False)
    broken.update(loss=None, views=[{**view, "loss_text": None} for view in broken["views"]])
    summary = summarize_stage2([record] * 19 + [broken], 20)
    assert summary["tier"] == "excellent" and summary["context_ratio"] == {"question": None, "answer": None}
    assert summarize_stage2([record], 1)["context_ratio"] == {"question": None, "answer": None}


@pytest.mark.parametrize(("count", "word"), [(2, "not supported"), (4, "weak"), (5, "supported")])
def test_stage2_verdict(count, word):
    records = [entry(converged=index < count) for index in range(10)]
    assert summarize_stage2(records, 10)["verdict"].startswith(word)
    partial = summarize_stage2(records, 11)
    assert partial["verdict"] == "none: incomplete" and partial["tier"] is None


def test_early_stop_waits_for_the_first_fifty_by_index():
    first = [f"p{index}" for index in range(50)]
    few = {problem: index < 9 for index, problem in enumerate(first)}
    assert too_few_converged(first, few)
    assert not too_few_converged(first, {**few, "p20": True})  # 10 of 50 is not under 20 %
    del few["p49"]
    assert not too_few_converged(first, {**few, "p77": False}), "easy ones finish first; wait for all fifty"
    assert not too_few_converged(first[:40], {problem: False for problem in first})


def test_stage3_denominator_and_bar():
    def validated(outcome):
        view = {"reconstructed": True, "exact_match": True, "f1": 1.0, "clean_stop": True, "degeneration": ""}
        wordy = {**view, "degeneration": "no_stop", "clean_stop": False}
        return {"outcome": outcome, "views": [{**view, "kind": "question"}, {**wordy, "kind": "answer"}]}

    records = [validated(outcome) for outcome in ["pass"] * 8 + ["partial", "fail"]]
    summary = summarize_stage3(records, 10)
    assert summary["pass"]["count"] == 8 and summary["pass"]["n"] == 10 and not summary["bar_passed"]
    assert summary["answer"]["degenerate"] == {"no_stop": 10} and summary["question"]["clean_stop"]["count"] == 10
    assert summarize_stage3(records[:9], 9)["bar_passed"]
    assert summary["complete"] and not summarize_stage3(records, 11)["complete"]


def test_readings_of_a_failed_gate():
    def read(doubled, alone=None):
        diagnosis = {"doubled_K": rate(*doubled), "bar": "converged", "stop_reasons": {"stalled": 9, "steps_spent": 1}}
        return reading(diagnosis | ({"views_alone": rate(*alone)} if alone else {}))

    assert read((5, 10), (20, 20)).startswith("K is too small")
    assert read((4, 10), (10, 20)).startswith("question and answer share no structure")
    assert read((4, 10), (9, 20)).startswith("the optimizer stalled")
    assert "twice the slots 4 of 10, each view alone 9 of 20" in read((4, 10), (9, 20))
    assert "are converged with" in read((4, 10), (9, 20)), "by which bar a remedy is judged"
    assert "9 stalled, 1 steps spent" in read((4, 10), (9, 20))
    assert "view" not in read((0, 10)), "stage 1 has only single views; the reading must not speak of them"
    assert "no remedy fits" in read((0, 0)), "nothing fitted at twice the slots"
