"""Every supported family, on a tiny random configuration: parity with the Generator's own forward pass.

Random weights do not reconstruct anything, so these tests compare numbers: in float64, or in float32 where attention
computes its softmax in float32 and cannot mask float64 scores.
"""

import dataclasses

import pytest
import torch
from judges import generate, plain_nll, prefix_embeddings
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from dcm_helpers.fetched import PACKAGED
from dcm_helpers.generator.attention import GROUPED
from dcm_helpers.generator.check import checked
from dcm_helpers.generator.load import freeze
from dcm_helpers.stm import Problem, Row, View, greedy_decode, initial_content, lay_out, scored, target_logits

K = 5
SMALL = dict(
    vocab_size=512,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=128,
)
NO_GROUPS = {key: SMALL[key] for key in SMALL if key not in ("num_key_value_heads", "head_dim")}
SOFTMAX_IN_FLOAT32 = ("gemma2", "bloom", "mpt")
"""Families whose attention computes its softmax in float32, which cannot take the mask of float64 scores."""
OLDER = dict(vocab_size=512, n_embd=32, n_layer=2, n_head=4, n_positions=128)
FAMILIES = {
    "llama": SMALL,
    "qwen2": SMALL,
    "qwen3": SMALL,
    "gpt2": OLDER,
    "gptj": OLDER | dict(rotary_dim=8),
    "gpt_neox": NO_GROUPS,
    "bloom": dict(vocab_size=512, hidden_size=32, n_layer=2, n_head=4),
    "mpt": dict(vocab_size=512, d_model=32, n_layers=2, n_heads=4, max_seq_len=128),
    "mamba": dict(vocab_size=512, hidden_size=32, num_hidden_layers=2, state_size=8),
    "opt": NO_GROUPS | dict(ffn_dim=64, word_embed_proj_dim=32),
    "falcon": dict(vocab_size=512, hidden_size=32, num_hidden_layers=2, num_attention_heads=4),
    "phi": NO_GROUPS,
    "mistral": SMALL | dict(sliding_window=8),
    "olmo2": SMALL,
    "lfm2": SMALL,
    "gemma": SMALL,
    "gemma2": SMALL | dict(final_logit_softcapping=3.0, attn_logit_softcapping=5.0, sliding_window=8),
    "gemma3_text": SMALL | dict(sliding_window=8, final_logit_softcapping=3.0),
    "granite": SMALL | dict(logits_scaling=4.0, embedding_multiplier=3.0),
}


@pytest.fixture(scope="module", params=FAMILIES)
def generator(request):
    """A random Generator of one family; Gemma's tokenizers add a BOS token, so these get one here."""
    tokenizer = AutoTokenizer.from_pretrained(PACKAGED["tiny"])
    eos = tokenizer.eos_token_id
    torch.manual_seed(0)
    config = CONFIG_MAPPING[request.param](
        **FAMILIES[request.param], eos_token_id=eos, bos_token_id=eos, pad_token_id=eos
    )
    dtype = torch.float32 if request.param in SOFTMAX_IN_FLOAT32 else torch.float64
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    for parameter in model.parameters():  # larger than at initialization, so that logits differ and caps bite
        torch.nn.init.normal_(parameter, std=0.3) if parameter.dim() > 1 else None
    generator = checked(freeze(request.param, model, tokenizer))
    return dataclasses.replace(generator, bos_ids=(7,)) if "gemma" in request.param else generator


@pytest.fixture
def close(generator):
    """Tolerances of a comparison in the Generator's precision."""
    return dict(rtol=1e-8, atol=1e-9) if generator.dtype is torch.float64 else dict(rtol=1e-3, atol=1e-4)


@pytest.fixture
def close_in_losses(generator, close):
    """The same of losses, which are computed in the precision of logits: Mamba's are float32 in a float64 model."""
    single = generator.model(input_ids=torch.tensor([[1, 2]])).logits.dtype is torch.float32
    return dict(rtol=1e-5, atol=2e-6) if single and generator.dtype is torch.float64 else close


@pytest.fixture
def views(generator):
    """Three views of different lengths: with a mode, without one, and with something given."""
    return (
        View.of(generator, "Which planet is the largest?", "Q"),
        View.of(generator, "Jupiter"),
        View.of(generator, "a gas giant", "A", given="Name it: "),
    )


def test_embeddings_stand_for_tokens(generator, close):
    ids = torch.tensor([generator.text_ids("The largest planet in the solar system is Jupiter.")])
    from_ids = generator.model(input_ids=ids).logits
    from_embeddings = generator.model(inputs_embeds=generator.embed(ids)).logits
    torch.testing.assert_close(from_embeddings, from_ids, **close)


def test_target_logits_are_the_generators_own_and_ignore_padding(generator, views, close_in_losses):
    """One batch mixes prefix and target lengths, so its rows are padded on both sides; judged row by row, unpadded."""
    problem = Problem("p", views)
    contents = torch.stack([initial_content(generator, problem, K, "tokens", 0, restart) for restart in range(3)])
    layout = lay_out(generator, [Row.of(generator, view, slot) for slot, view in enumerate(views)], K)
    assert (layout.attention_mask[:, 0] == 0).any() and (layout.attention_mask[:, -1] == 0).any()
    scores = scored(target_logits(generator, layout, contents), layout)
    for index, view in enumerate(views):
        expected = plain_nll(generator, view, contents[index])
        torch.testing.assert_close(scores.nll[index, : len(expected)], expected, **close_in_losses)
        assert scores.mask[index].sum() == len(expected)


def test_gradient_is_plain_autograds(generator, views, close_in_losses):
    problem = Problem("p", views)
    contents = torch.stack([initial_content(generator, problem, K, "gaussian", 0, restart) for restart in range(3)])
    ours = contents.clone().requires_grad_()
    layout = lay_out(generator, [Row.of(generator, view, slot) for slot, view in enumerate(views)], K)
    scored(target_logits(generator, layout, ours), layout).loss.sum().backward()
    for index, view in enumerate(views):
        alone = contents[index].clone().requires_grad_()
        plain_nll(generator, view, alone).mean().backward()
        assert alone.grad.abs().max() > 0
        torch.testing.assert_close(ours.grad[index], alone.grad, **close_in_losses)


CAPPED = ("gemma2",)
"""Families whose attention has caps."""


def test_grouped_attention_is_plain_attention(generator, views, close):
    """Padded rows, their gradients, and a token read after a cache; or the family has its own way, or is refused."""
    contents = torch.stack(
        [initial_content(generator, Problem("p", views), K, "gaussian", 0, each) for each in range(3)]
    )
    rows = [Row.of(generator, view, slot) for slot, view in enumerate(views)]
    layout = lay_out(generator, rows, K)
    before, found = generator.attention, {}
    try:
        for kernel in (before, GROUPED):
            generator.model.set_attn_implementation(kernel)
            read = contents.clone().requires_grad_()
            logits = target_logits(generator, layout, read)
            logits.square().sum().backward()
            decoded = [each.ids for each in greedy_decode(generator, rows, contents, K)]
            found[kernel] = logits.detach(), read.grad, decoded
    except ValueError as error:
        expected = "no dropout, caps, sinks or biases" if generator.name in CAPPED else GROUPED
        assert expected in str(error)
        return
    finally:
        generator.model.set_attn_implementation(before)
    assert generator.name not in CAPPED
    (*usual, written), (*ours, ours_written) = found.values()
    torch.testing.assert_close(ours, usual, **close)
    assert ours_written == written


def test_decoder_writes_what_generate_writes(generator, views):
    problem = Problem("p", views)
    contents = torch.stack([initial_content(generator, problem, K, "tokens", 1, restart) for restart in range(3)])
    rows = [Row.of(generator, view, slot) for slot, view in enumerate(views)]
    for index, decoded in enumerate(greedy_decode(generator, rows, contents, K)):
        prefix = prefix_embeddings(generator, views[index], contents[index])
        assert decoded.ids == generate(generator, prefix, len(views[index].target_ids) + 8)
