"""Across views: whom a pair is compared with."""

from dcm_helpers.controls.across import asked_texts, next_of, shuffled, what_is_told
from dcm_helpers.controls.transfer import content_words
from dcm_helpers.inquiry import sample_of
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
    above, below, around = Estimate(2, 1, 3, p=0.01), Estimate(-2, -3, -1, p=0.02), Estimate(0, -1, 1, p=0.9)
    assert what_is_told(Estimate(0.02, -0.05, 0.08), around, below, above, above) == ("nothing", None)
    assert what_is_told(Estimate(0.2, -0.05, 0.4), around, below, above, above) == ("not shown", 0.9)
    assert what_is_told(Estimate(0.6, 0.4, 0.8), above, above, above, above)[0].endswith("not than none")
    assert what_is_told(Estimate(0.6, 0.4, 0.8), above, below, around, above)[0].endswith("topic and type shown")
    assert what_is_told(Estimate(0.6, 0.4, 0.8), above, below, above, around) == ("as much as its words", 0.02)
    assert what_is_told(Estimate(0.6, 0.4, 0.8), above, below, above, above) == ("more than its words", 0.02)


def test_content_words_leave_out_what_any_text_has():
    assert content_words("What is the Red planet's moon?") == {"red", "planet", "s", "moon"}


def test_what_is_asked_shares_more_and_more(pairs):
    assert asked_texts(pairs[0], "question") == {
        "the other text": pairs[0].answer,
        "the same text": pairs[0].question,
        "the text, then the other": f"{pairs[0].question} {pairs[0].answer}",
    }
    assert set(asked_texts(pairs[0], "answer")) == {"the other text", "the same text"}
