"""Which texts a Generator can write back, and that text stays text in a prompt."""

import copy
import dataclasses
import threading

import pytest
from tokenizers import Tokenizer, decoders, normalizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from dcm_helpers.config import DataConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator.check import checked
from dcm_helpers.pairs import Dataset, Pair, load_pairs
from dcm_helpers.stm import View, joint_problems


def with_tokenizer(generator, change):
    """The Generator with a changed copy of its tokenizer."""
    tokenizer = copy.deepcopy(generator.tokenizer)
    change(tokenizer)
    return dataclasses.replace(generator, tokenizer=tokenizer)


def normalized(generator, *steps):
    """The Generator with a tokenizer that changes texts before it reads them."""
    return with_tokenizer(
        generator, lambda each: setattr(each.backend_tokenizer, "normalizer", normalizers.Sequence(list(steps)))
    )


@pytest.fixture
def without_accents(tiny):
    return normalized(tiny, normalizers.NFD(), normalizers.StripAccents())


@pytest.fixture
def lower(tiny):
    return normalized(tiny, normalizers.Lowercase())


@pytest.fixture
def space_is_a_sign(tiny):
    """Spaces are read as U+2581, as Gemma's tokenizer does, and U+2581 is written as a space."""
    vocabulary = {sign: index for index, sign in enumerate(["<eos>", "▁", "a", "b"])}
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")
    return dataclasses.replace(tiny, tokenizer=wrapped, eos_id=0)


def test_a_text_that_comes_back_changed_is_no_target(without_accents, lower, space_is_a_sign, tiny):
    assert tiny.why_unwritable("café") == tiny.why_unwritable("Two words") == ""
    assert without_accents.why_unwritable("café") == "'café' comes back from its tokens as 'cafe'"
    assert "comes back" in lower.why_unwritable("Paris") and not lower.why_unwritable("paris")
    assert not space_is_a_sign.why_unwritable("a b") and "as 'a b'" in space_is_a_sign.why_unwritable("a▁b")


def test_a_text_without_tokens_is_no_target(tiny):
    silent = normalized(tiny, normalizers.Replace("?", ""))
    assert silent.why_unwritable("?") == "'?' has no tokens"


def test_a_text_that_holds_what_ends_a_target_is_none(tiny):
    """An EOS that is an ordinary token, as where somebody made '.' end every text."""
    (stop,) = tiny.text_ids(".")
    ends = with_tokenizer(tiny, lambda each: setattr(each, "eos_token", each.convert_ids_to_tokens(stop)))
    ends = dataclasses.replace(ends, eos_id=stop)
    assert ends.why_unwritable("St. Louis") == "'St. Louis' holds '.', which ends a target"
    assert tiny.why_unwritable("a<eos>b") == "", "markup is text"


def test_a_token_beyond_the_embeddings_is_no_target(tiny):
    larger = with_tokenizer(tiny, lambda each: each.add_tokens(["zebra"]))
    rows = tiny.model.get_input_embeddings().weight.shape[0]
    assert f"has token {rows}, and there are embeddings for {rows}" in larger.why_unwritable("a zebra")
    with pytest.raises(InputError, match="no embedding for token"):
        larger.prompt_ids("a zebra", "Answer")


def test_what_cannot_be_written_is_left_out_and_counted_with_an_example(without_accents):
    pairs = [Pair("one", "What?", "tea"), Pair("two", "What?", "café"), Pair("three", "Où?", "tea")]
    left = Dataset("a file", pairs, 3, {"empty": 1}).writable(without_accents)
    assert [pair.id for pair in left.pairs] == ["one"] and list(left.unwritable) == ["two", "three"]
    assert str(left) == (
        "1 of 3 pairs from a file; left out: 1 empty, 2 that the Generator cannot write ('two': its answer 'café' "
        "comes back from its tokens as 'cafe')"
    )
    with pytest.raises(InputError, match=r"can write none of the 1 pairs from a file; for instance 'two': its answer"):
        Dataset("a file", pairs[1:2], 1).writable(without_accents)
    with pytest.raises(InputError, match="cannot write this target: 'café' comes back"):
        View.of(without_accents, "café")


def test_every_shipped_pair_can_be_written(tiny):
    data = load_pairs(DataConfig(num_examples=1000))
    assert data.writable(tiny).pairs == data.pairs


def test_modes_that_are_one_token_are_refused_by_name(lower, pairs):
    """From one STM greedy decoding writes one text, so such a run could not succeed."""
    with pytest.raises(InputError, match="the mode words 'A' and 'a' are one token for tiny"):
        joint_problems(lower, pairs[:1], {"A": "question", "a": "answer"})


def chat(generator, template):
    """The Generator with a chat template."""
    return with_tokenizer(generator, lambda each: setattr(each, "chat_template", template))


def test_text_stays_text_in_a_prompt(tiny):
    """A context that holds what ends a turn must not end it."""
    chatty = chat(tiny, "{{ '<eos>' + messages[0].content + '<eos>' }}")
    ids = chatty.prompt_ids("a<eos>b", "Answer")
    assert ids == (tiny.eos_id, *tiny.text_ids("a<eos>b"), tiny.eos_id) and ids.count(tiny.eos_id) == 2
    plain = tuple(tiny.tokenizer("<eos>a plain text<eos>", add_special_tokens=False)["input_ids"])
    assert chatty.prompt_ids("a plain text", "Answer") == plain


def test_a_reasoning_template_is_closed(tiny):
    """A template that opens a thought would make every baseline begin inside it."""
    thinking = chat(tiny, "{{ messages[0].content + '|<think>\\n' }}")
    assert tiny.text(thinking.prompt_ids("Hi", "Answer")) == "Hi|<think>\n\n</think>\n\n"


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "does not end in 1 s"),
        ("{{ raise_exception('no users here') }}", "fails .*no users here"),
        ("{{ messages[0].content.missing.deeper }}", "fails"),
        ("{% if %}", "fails"),
        ("hello", "changes texts"),
        ("{{ messages[0].content | upper }}", "changes texts"),
        ("{{ messages[0].content }}{{ messages[0].content }}", "changes texts"),
        ("{{ messages[0].content | length }}: {{ messages[0].content }}", "changes texts, or changes with them"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_in_one_line(tiny, monkeypatch, template, told):
    monkeypatch.setattr("dcm_helpers.generator.template.SECONDS", 1)
    threads = threading.active_count()
    with pytest.raises(InputError, match=f"the chat template of tiny {told}") as caught:
        chat(tiny, template).prompt_ids("Hi", "Answer")
    assert "\n" not in str(caught.value)
    assert threading.active_count() == threads, "it would go on in the background"


def test_half_a_character_is_told(tiny):
    with pytest.raises(InputError, match="half of a character"):
        tiny.text_ids("a\udcff")


def test_a_tokenizer_that_reads_at_random_is_refused(tiny):
    careless = with_tokenizer(tiny, lambda each: setattr(each.backend_tokenizer.model, "dropout", 0.5))
    with pytest.raises(InputError, match="reads a text differently each time"):
        checked(careless)


def test_a_mode_word_that_ends_texts_is_refused(tiny):
    with pytest.raises(InputError, match="mode word 'Q' ends every text"):
        dataclasses.replace(tiny, eos_id=tiny.mode_id("Q")).mode_id("Q")
