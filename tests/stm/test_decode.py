"""Our greedy decoder writes what the Hugging Face implementation writes."""

import dataclasses

import pytest
import torch
from judges import generate, prefix_embeddings
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from dcm_helpers.errors import InputError
from dcm_helpers.fetched import PACKAGED
from dcm_helpers.generator import token_rows
from dcm_helpers.generator.load import freeze
from dcm_helpers.stm import (
    EXTRA_TOKENS,
    Problem,
    Row,
    View,
    greedy_decode,
    initial_content,
    require_fits,
    view_rows,
)


def test_batched_decoding_equals_generate_row_by_row(tiny):
    """Rows of different prefix lengths and limits, some of which end early."""
    contents = token_rows(tiny, 80, torch.Generator().manual_seed(3)).view(10, 8, -1)
    contents[::3] = contents[::3, :1]  # one token over and over: such rows tend to go on and on
    texts = ["carbon", "Which is the longest river of all?", "4", "because it is hot", "a"]
    given = ["", "So: ", "What is said before can be long, and then the other rows stand behind much padding. "]
    views = [View.of(tiny, texts[i % 5], "QA"[i % 2] if i % 3 else None, given[i % 4 % 3]) for i in range(10)]
    decoded = greedy_decode(tiny, [Row.of(tiny, view, slot) for slot, view in enumerate(views)], contents, 8)
    ended = 0
    for view, content, ids in zip(views, contents, [each.ids for each in decoded], strict=True):
        limit = len(view.target_ids) + EXTRA_TOKENS
        assert ids == generate(tiny, prefix_embeddings(tiny, view, content), limit)
        assert len(ids) <= limit
        ended += ids[-1] == tiny.eos_id
    assert 0 < ended < 10, "the case should hold rows that end and rows that are cut"


def test_decoding_stays_inside_the_window():
    """Learned positions end with the window: a row past its own limit must not drag its neighbors' batch out of it."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=512, n_embd=32, n_layer=1, n_head=2, n_positions=48, eos_token_id=511)
    tokenizer = AutoTokenizer.from_pretrained(PACKAGED["tiny"])
    generator = dataclasses.replace(freeze("gpt2", GPT2LMHeadModel(config), tokenizer), eos_id=511)
    long_prefix = Row((5,) * 36, None, (), (1, 2, 3, 511))
    long_target = Row((5,) * 3, None, (), (*range(1, 37), 511))
    decoded = greedy_decode(generator, [long_prefix, long_target], None, K=0)
    assert decoded[0].ids == greedy_decode(generator, [long_prefix], None, K=0)[0].ids
    problem = Problem("p", (View(None, "", long_prefix.target_ids),))
    with pytest.raises(InputError, match="needs 49 positions, 38 of them slots, and the window has 48"):
        require_fits(generator, [problem], K=38)
    require_fits(generator, [problem], K=37)


def test_decoding_continues_text(tiny):
    """Without content the decoder is plain text generation."""
    head = tiny.text_ids("What is")
    (decoded,) = greedy_decode(tiny, [Row(head, None, (), (1,) * 12)], None, K=0)
    assert decoded.ids == generate(tiny, tiny.embed(torch.tensor(head)), 20)


def test_probabilities_are_those_of_one_forward_pass(tiny):
    """What was written, read back as a target, has the probabilities that decoding reported."""
    head = tiny.text_ids("What is")
    (decoded,) = greedy_decode(tiny, [Row(head, None, (), (1,) * 12)], None, K=0)
    logits = tiny.model(torch.tensor([[*head, *decoded.ids]])).logits[0, len(head) - 1 : -1]
    expected = logits.softmax(-1).gather(1, torch.tensor(decoded.ids)[:, None])[:, 0]
    assert decoded.probabilities == pytest.approx(expected.tolist(), rel=1e-4)


def test_what_is_written_is_told_token_by_token(tiny, problems):
    """Each time a beginning of what comes out in the end, one token longer, until a row has ended."""
    contents = torch.stack([initial_content(tiny, problems[0], 8, "tokens", 0, 0)])
    rows, told = view_rows(tiny, problems[:1]), []
    decoded = greedy_decode(tiny, rows, contents, 8, told.append)
    assert decoded == greedy_decode(tiny, rows, contents, 8)
    for step, written in enumerate(told, 1):
        for index, so_far in written.items():
            assert so_far.ids == decoded[index].ids[: len(so_far.ids)] and len(so_far.ids) <= step
    assert {index: so_far.ids for index, so_far in told[-1].items()} == dict(enumerate(each.ids for each in decoded))
