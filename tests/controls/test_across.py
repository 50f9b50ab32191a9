"""Across views: whom a pair is compared with, and what follows from costs that are known."""

import numpy as np
import pandas as pd
import pytest
from stand_ins import Told, problems, values_of

from dcm_helpers.controls.across import asked_texts, likelier, shuffled, sooner, what_is_told
from dcm_helpers.controls.transfer import content_words
from dcm_helpers.inquiry import next_of, sample_of
from dcm_helpers.stats import Estimate


def test_another_pair_of_a_kind_is_another_one(pairs):
    sample = sample_of(pairs, 97)
    by_id = {pair.id: pair for pair in sample}
    for kind in (lambda pair: pair.topic, lambda pair: (pair.topic, pair.question_type)):
        partner = next_of(sample, kind)
        assert all(kind(other) == kind(by_id[name]) and other.id != name for name, other in partner.items())
        assert len({other.id for other in partner.values()}) == len(partner), "each is compared with once"
        assert next_of(sample[::-1], kind) == partner, "whatever their order"
    assert len(partner) == 51, "of the same topic and type"
    assert next_of(sample[:1], lambda pair: pair.topic) == {}, "who is alone has none"


def test_shuffled_words_are_the_same_words(tiny, pairs):
    text = pairs[0].question
    words = shuffled(tiny, text)
    assert sorted(words) == sorted(tiny.text_ids(text)) and words != tiny.text_ids(text)
    assert words == shuffled(tiny, text)


def test_what_is_told_needs_all_that_comes_before():
    """A claim is made only where every weaker one holds; its p is the weakest."""
    above = [Estimate(2, 1, 3, p=p) for p in (0.03, 0.04, 0.01, 0.045)]
    below, around = Estimate(-2, -3, -1, p=0.02), Estimate(0, -1, 1, p=0.9)
    told, trace = Estimate(0.6, 0.4, 0.8), Estimate(0.02, -0.05, 0.08)
    for place, than in enumerate(("its start", "others'", "its topic and type", "its words")):
        for other in (around, below):  # a difference that is not told is no equality
            claims = [*above[:place], other, *above[place + 1 :]]
            ends = f"less than {than}" if other is below and place == 3 else f"not shown to beat {than}"
            says = f"likelier than after none; {ends}", (0.02, 0.03, 0.04, 0.04)[place]
            assert what_is_told(told, below, *claims) == says
    assert what_is_told(told, below, *above) == ("likelier than after none; more than its words", 0.045)
    less = "less likely than after none"
    assert what_is_told(told, above[0], *[around] * 4) == (less, 0.03)
    assert what_is_told(told, above[2], *above) == (f"{less}, but likelier than after its start and others'", 0.04)
    assert what_is_told(told, above[2], *above[:2], around, around) == (
        f"{less}, but likelier than after its start",
        0.03,
    )
    not_shown = "not shown to be likelier than after none"
    assert what_is_told(trace, around, around, *above[1:]) == (f"{not_shown}, but likelier than after others'", 0.04)
    assert what_is_told(trace, around, *[around] * 4) == ("nothing", None)
    assert what_is_told(Estimate(0.2, -0.05, 0.4), around, *[around] * 4) == ("not shown", 0.9)


def test_content_words_leave_out_what_any_text_has():
    assert content_words("What is the Red planet's moon?") == {"red", "planet", "s", "moon"}


def test_what_is_asked_shares_more_and_more(pairs):
    assert asked_texts(pairs[0], "question") == {
        "the other text": pairs[0].answer,
        "the same text": pairs[0].question,
        "the text, then the other": f"{pairs[0].question} {pairs[0].answer}",
    }
    assert set(asked_texts(pairs[0], "answer")) == {"the other text", "the same text"}


def after(**saved):
    """What 40 answers cost, in nats: 30 without content, and after contents and texts as much less as is told."""
    noise = np.random.default_rng(0).normal(0, 0.1, 40)
    columns = {
        name: 30 - saved.get(name, 0) + (noise if name == "own" else 0)
        for which in ("own", "other", "topic", "alike")
        for end in ("", "_text", "_words")
        for name in (which + end, f"{which}{end}_first")
    }
    table = pd.DataFrame(columns | {"none": 30.0, "start": 31.0, "pair": [f"p{index}" for index in range(40)]})
    return table.assign(K=8, found_for="question", asked="the other text")


def test_what_contents_save_is_set_beside_what_texts_save():
    study = Told(after(own=6, other=-1, alike=1, own_text=15, other_text=1, own_words=9))
    (found,) = likelier(study)
    known = values_of(found)
    assert known[""].value == pytest.approx(6 / 15, abs=0.01), "6 nats over none, of 15 that the text saves"
    assert known["that share over another's"].value == pytest.approx(7 / 14, abs=0.01)
    assert known["own content minus none"].value == pytest.approx(-6, abs=0.05)
    assert (known["own text minus none"].value, known["own words in another order minus none"].value) == (-15, -9)
    assert known["own words in another order minus own content"].value == pytest.approx(-3, abs=0.05)
    assert found.answer.answer == "likelier than after none; less than its words"


def test_where_the_text_itself_tells_nothing_there_is_no_share():
    (found,) = likelier(Told(after(own=0, other=0, alike=0, own_text=-1, other_text=1).assign(start=30.0)))
    assert found.answer.answer == "not shown" and found.figure[0].value.high == np.inf
    (harmed,) = likelier(Told(after(own=-3, other=2, alike=2, own_text=15, other_text=1)))
    assert harmed.answer.answer == "less likely than after none"


def test_what_any_vectors_do_is_not_told_by_a_content():
    """Where the start of a content makes a text as likely as the content does, that says nothing about the content."""
    costs = after(own=6, other=-1, alike=1, own_text=15, other_text=1, own_words=1)
    (found,) = likelier(Told(costs.assign(start=24.0)))
    assert found.answer.answer == "likelier than after none; not shown to beat its start"


def test_steps_from_the_other_text_are_set_beside_anothers_and_fresh_ones():
    pairs = [f"pair-{index:02}" for index in range(20)]
    again = pd.DataFrame(
        [
            {"found_for": "question", "pair": pair, "start": start, "steps_to_exact": steps + index % 3}
            for index, pair in enumerate(pairs)
            for start, steps in (("own", 9), ("other", 19))
        ]
    )
    fresh = problems([99.0] * 20 + [39.0] * 20, pairs * 2)  # of questions, and of answers, which are asked for
    fresh.index = [f"{pair}:{kind}" for kind in ("question", "answer") for pair in pairs]
    kinds = [{"problem": name, "views": [{"kind": name.split(":")[1]}]} for name in fresh.index]

    def told(fresh):
        return sooner(1)(Told({"again-K1": again}, {"confident-alone-K1": fresh}, {"confident-alone-K1": kinds}))[0]

    found = told(fresh)
    assert found.figure[0].value.value == pytest.approx(0.27, abs=0.01) and found.answer.answer == "yes"
    assert values_of(found)["over from another question's content"].value == pytest.approx(0.52, abs=0.01)
    as_soon = told(fresh.assign(steps_to_exact=again[again["start"] == "own"]["steps_to_exact"].tolist() * 2))
    assert as_soon.answer.answer == "not shown", "another's content may merely be a bad start"
