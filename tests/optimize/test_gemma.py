"""The second real Generator, of another family: Gemma 3 270M. Only where it was fetched, for which there are terms."""

import pytest
import torch
from judges import generate, prefix_embeddings, same_bits, scored_beside_plain, weights

from dcm_helpers.config import GeneratorConfig, OptimizerConfig
from dcm_helpers.fetched.cache import CACHE, what_is_wrong
from dcm_helpers.generator import load_generator
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import joint_problems

NAME = "gemma3-270m"


@pytest.fixture(scope="module")
def gemma():
    if what_is_wrong(CACHE / "generators" / NAME):
        pytest.skip(f"{NAME} was not fetched; it is once a run names it")
    return load_generator(GeneratorConfig(model=NAME, device="cpu", dtype="float32"))


def test_conventions(gemma):
    assert gemma.bos_ids == (2,) and gemma.eos_id == 1 and gemma.width == 640 and gemma.prompt_format == "plain"
    assert (CACHE / "generators" / NAME / "GEMMA_TERMS.html").is_file(), "the terms lie beside it"
    prompt = gemma.embed(torch.tensor([*gemma.bos_ids, *gemma.text_ids("What is the capital of France?")]))
    assert "Paris" in gemma.text(generate(gemma, prompt, 12))


def test_scores_are_those_of_plain_forward_passes(gemma, pairs):
    """Scaled embeddings, sliding windows and BOS included."""
    for scored, plain in scored_beside_plain(gemma, pairs[:2]):
        assert scored == pytest.approx(plain, rel=1e-4)


def test_reconstructs_a_pair_as_generate_sees_it(gemma, pairs):
    before = weights(gemma)
    config = OptimizerConfig(K=8, num_steps=150, num_restarts=1, stop_rule="exact")
    (result,) = ContentOptimizer(gemma, config).optimize(joint_problems(gemma, pairs[:1]))
    assert same_bits(before, weights(gemma)) and result.reconstructed
    for view in result.problem.views:
        written = generate(gemma, prefix_embeddings(gemma, view, result.content), len(view.target_ids) + 8)
        assert written == view.target_ids
