"""Unseen phrasings: nats a token against none, own, of others and of classes, on a table that was made up."""

from dataclasses import replace

import pandas as pd
import pytest
from stand_ins import Told, values_of

from dcm_helpers.controls.transfer import likelihood_of_unseen, shared_words


def test_only_the_phrasing_left_out_counts_and_none_is_what_it_is_set_against(pairs):
    known = {"own": 2.0, "mismatched": 4.0, "class": 1.5, "none": 3.0}
    rows = [
        {"pair": pair.id, "view": view, "held_out": held_out, "content": content, "tokens": 5}
        | {"nats": 5 * (each if held_out else 100) + 0.01 * index}
        for view in "QA"
        for index, pair in enumerate(pairs[:20])
        for held_out in (False, True)
        for content, each in known.items()
        if content != "class" or index < 4
    ]
    found = likelihood_of_unseen(Told(pd.DataFrame(rows), pairs={pair.id: pair for pair in pairs}))
    assert [each.answer.answer for each in found] == ["yes", "yes"]
    for each in found:
        values = values_of(each)
        assert values[""].value == pytest.approx(-1) and values[""].n == 20
        assert values["another pair's minus none"].value == pytest.approx(1)
        of_class = values["found for other paraphrases minus none"]
        assert of_class.value == pytest.approx(-1.5) and of_class.n == 4


def test_paraphrases_that_share_a_word_are_told_apart(pairs):
    pair = replace(pairs[0], answer="The red planet", answer_paraphrases=("Mars, which is called red",))
    assert shared_words(pair, "answer") == {"red"}
    assert not shared_words(replace(pair, answer_paraphrases=("The one after Earth",)), "answer"), "'the' is no content"
