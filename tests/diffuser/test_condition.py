"""What a Diffuser reads: the Generator's own states, whatever stands beside them in a batch."""

import dataclasses

import pytest
import torch

from dcm_helpers.config import DiffuserConfig
from dcm_helpers.diffuser import condition_ids, states_of
from dcm_helpers.errors import InputError


@pytest.fixture(scope="module")
def ids(tiny64, pairs):
    return [condition_ids(tiny64, pair, "pair") for pair in pairs[:4]]


@pytest.mark.parametrize("layer", [0, 1, 3])
def test_embeddings_and_states_are_those_that_the_generator_computes(tiny64, ids, layer):
    assert len({len(row) for row in ids}) > 1, "nothing is padded"
    for row, states in zip(ids, states_of(tiny64, ids, layer / 4), strict=True):
        with torch.no_grad():
            output = tiny64.model(input_ids=torch.tensor([row]), output_hidden_states=True)
        both = [output.hidden_states[each][0] for each in dict.fromkeys((0, layer))]
        assert states.dtype is torch.bfloat16
        torch.testing.assert_close(states, torch.cat(both, 1).to(torch.bfloat16))


def test_the_generator_is_whole_again(tiny64, ids):
    before = [len(module._forward_hooks) for module in tiny64.model.modules()]
    states_of(tiny64, ids, 0.25)
    assert [len(module._forward_hooks) for module in tiny64.model.modules()] == before
    assert tiny64.model(input_ids=torch.tensor([ids[0]])).logits.shape[1] == len(ids[0])


def test_the_question_comes_first(tiny64, pairs):
    pair = next(each for each in pairs if each.context)
    question, passage, whole = (
        tiny64.text(condition_ids(tiny64, pair, reads)) for reads in ("question", "passage", "pair")
    )
    assert question == pair.question
    assert passage == f"{pair.question}\n{pair.context}" and whole == f"{pair.question}\n{pair.answer}"


def test_what_is_not_there_is_named(tiny64, pairs):
    with pytest.raises(InputError, match="has no context"):
        condition_ids(tiny64, dataclasses.replace(pairs[0], context=""), "passage")
    with pytest.raises(InputError, match="depth is 2"):
        DiffuserConfig(depth=2)
    with pytest.raises(InputError, match="reads 512"):
        states_of(tiny64, [(1,) * (tiny64.window + 1)], 0)
