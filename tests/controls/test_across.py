"""Across views: whom a pair is compared with."""

from dcm_helpers.controls.across import asked_texts, next_of_topic
from dcm_helpers.inquiry import sample_of
from dcm_helpers.pairs import content_words


def test_another_pair_of_the_topic_is_another_one(pairs):
    sample = sample_of(pairs, 97)
    partner = next_of_topic(sample)
    assert partner.keys() == {pair.id for pair in sample}
    by_id = {pair.id: pair for pair in sample}
    assert all(other.topic == by_id[name].topic and other.id != name for name, other in partner.items())
    assert len({other.id for other in partner.values()}) == len(sample), "each is compared with once"
    assert next_of_topic(sample[::-1]) == partner, "whatever their order"
    assert next_of_topic(sample[:1]) == {sample[0].id: sample[0]}


def test_content_words_leave_out_what_any_text_has():
    assert content_words("What is the Red planet's moon?") == {"red", "planet", "s", "moon"}


def test_what_is_asked_shares_more_and_more(pairs):
    assert asked_texts(pairs[0], "question") == {
        "the other text": pairs[0].answer,
        "the same text": pairs[0].question,
        "the text, then the other": f"{pairs[0].question} {pairs[0].answer}",
    }
    assert set(asked_texts(pairs[0], "answer")) == {"the other text", "the same text"}
