"""Distances to tokens: ratios to random steps, with norms held and free, on slots whose places are known."""

import numpy as np
import pandas as pd
import pytest
from stand_ins import Told, problems, values_of

from dcm_helpers.solutions.tokens import PART_NAMES, drawn, from_tokens, held

NAMES = [f"pair-{index:02}:joint" for index in range(16)]


def slots(distance_of, parts=tuple(PART_NAMES)):
    """Contents at a share of a random step's distance, of each part its own."""
    noise = np.exp(np.random.default_rng(0).normal(0, 0.005, 16))
    rows = [
        {"part": part, "kind": kind, "problem": name, "pair": name.split(":")[0], "other_cosine": 0.3, "rank": 0.9}
        | {"other_distance": distance_of[part] * factor if kind == "content" else 2.0, "at_start": 0.5, "norm": 3.0}
        | {"travel": 4.0 * distance_of[part]}
        for part in parts
        for kind in ("content", "random step")
        for name, factor in zip(NAMES, noise, strict=True)
    ]
    return pd.DataFrame(rows)


def snapped(parts):
    rows = [
        {"part": part, "problem": name, "by": by, "teacher_forced_exact": by == "direction" and name == NAMES[0]}
        for part in parts
        for name in NAMES
        for by in ("distance", "direction")
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("share", "says"), [(0.99, "no"), (0.6, "yes"), (0.95, "not shown")])
def test_held_norms_from_both_starts_decide(share, says):
    """What free norms say does not count: there a distance is one of norms."""
    places = slots(dict.fromkeys(PART_NAMES, 2.0 * share) | {"base": 0.2, "far": 40.0})
    found = {each.measured: each for each in from_tokens(Told({"slots": places, "snapped": snapped(PART_NAMES)}))}
    free, norms_held = (
        next(each for name, each in found.items() if name.endswith(end)) for end in ("random step", "norms held")
    )
    assert free.figure[0].value.value == pytest.approx(0.1, rel=0.01) and free.answer is None
    assert norms_held.figure[0].value.value == pytest.approx(share, rel=0.01) and norms_held.answer.answer == says
    assert values_of(free)["teacher-forced exact with slots at their nearest tokens"].value == 1 / 16, "by either"


def test_one_start_alone_does_not_decide():
    places = slots(dict.fromkeys(PART_NAMES, 1.2) | {"norm-gaussian": 2.0})
    answers = [
        each.answer.answer
        for each in from_tokens(Told({"slots": places, "snapped": snapped(PART_NAMES)}))
        if each.answer
    ]
    assert answers == ["not shown"]


def test_a_distance_that_pairs_keep_is_a_property_of_theirs():
    places = slots(dict.fromkeys(PART_NAMES, 2.0))  # the same noise in every part: pairs keep their order
    parts = {part: problems(np.arange(16) + 1.0) for part in ("base", "norm")}
    cost, kept = held(Told({"slots": places}, parts))
    assert cost.figure[0].value.value == pytest.approx(1)
    assert kept.figure[0].value.value == pytest.approx(1) and kept.answer.answer == "in part"


def test_what_drawing_to_tokens_costs_stands_beside_what_it_brings():
    parts = ("base", "near-0.1")
    places = slots({"base": 2.0, "near-0.1": 1.0}, parts)
    found_in = {"base": problems([9.0] * 16), "near-0.1": problems([19.0] * 16, loss=0.5)}
    (found,) = drawn(Told({"slots": places, "snapped": snapped(parts)}, found_in, near_tokens=(0.1,)))
    known = values_of(found)
    assert known[""].value == pytest.approx(5) and known["times the steps to exact:"].value == pytest.approx(2)
    assert known["distance from the start, over without"].value == pytest.approx(0.5)
    assert known["to other tokens"].value == pytest.approx(0.5)
