"""Terms beside cross-entropy, held norms, and the controls on layers and answers."""

import dataclasses

import pytest
import torch

from dcm_helpers.config import GeneratorConfig, InputError, OptimizerConfig
from dcm_helpers.landscape import losses_at
from dcm_helpers.models import load_generator
from dcm_helpers.optimizer import ContentOptimizer
from dcm_helpers.problems import (
    joint_problems,
    mismatched,
    of_class,
    rephrased,
    views_apart,
    with_random_answer,
)
from dcm_helpers.stm import initial_content, token_rows
from dcm_helpers.study import exchanged, joint, sample_of
from dcm_helpers.terms import token_distance, weighted_terms

ALL_STEPS = OptimizerConfig(K=4, num_steps=12, num_restarts=1, stop_rule="minimize", lr=0.1)


def test_tokens_have_no_distance_and_known_offsets_have_theirs(tiny):
    tokens = token_rows(tiny, 6, torch.Generator().manual_seed(0)).view(2, 3, -1)
    assert token_distance(tiny, tokens).tolist() == pytest.approx([0, 0], abs=1e-5)
    offset = torch.zeros_like(tokens)
    offset[0, :, 0] = 1e-3  # far smaller than the distance between tokens
    assert token_distance(tiny, tokens + offset).tolist() == pytest.approx([1e-3, 0], abs=1e-6)


def test_the_gradient_of_the_distance_is_that_of_finite_differences(tiny64):
    contents = torch.randn(2, 3, tiny64.width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    contents.requires_grad_()
    (gradient,) = torch.autograd.grad(token_distance(tiny64, contents).sum(), contents)
    step = torch.randn(contents.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1e-5
    change = (token_distance(tiny64, contents + step) - token_distance(tiny64, contents - step)).sum() / 2
    assert (gradient * step).sum().item() == pytest.approx(change.item(), rel=1e-4)


def test_without_a_weight_there_is_no_term(tiny):
    assert weighted_terms(tiny, torch.zeros(1, 2, tiny.width), OptimizerConfig(K=2)) is None
    with pytest.raises(InputError, match="token_distance is -1"):
        OptimizerConfig(token_distance=-1.0)


def test_a_weight_draws_contents_to_tokens_and_is_recorded(tiny64, problems):
    """The penalty that is stored is that of the stored content, and a larger weight gives a smaller distance."""
    distances = []
    for weight in (0.0, 1.0, 30.0):
        config = dataclasses.replace(ALL_STEPS, token_distance=weight, num_steps=25)
        (result,) = ContentOptimizer(tiny64, config).optimize(problems[:1])
        distance = token_distance(tiny64, result.content[None]).item()
        assert result.penalty == pytest.approx(weight * distance, rel=1e-6)
        assert result.loss == pytest.approx(losses_at(tiny64, problems[0], result.content[None])["loss"].item())
        distances.append(distance)
    assert distances[0] > distances[1] > distances[2]


def test_held_slots_keep_the_norm_of_their_tokens(tiny, problems):
    config = dataclasses.replace(ALL_STEPS, hold_norm=True)
    (result,) = ContentOptimizer(tiny, config).optimize(problems[:1])
    start = initial_content(tiny, problems[0], config.K, config.init, config.seed, result.restart)
    assert result.best_step > 0 and not torch.allclose(result.content, start)
    assert torch.allclose(result.content.norm(dim=1), start.norm(dim=1), rtol=1e-5)
    (free,) = ContentOptimizer(tiny, ALL_STEPS).optimize(problems[:1])
    assert not torch.allclose(free.content.norm(dim=1), start.norm(dim=1), rtol=1e-2)


def test_the_first_exact_step_is_where_the_rule_exact_would_end(tiny64, problems):
    """Equal starts and updates: `minimize` passes the same contents as `exact`, and goes on."""
    settings = OptimizerConfig(K=8, num_steps=150, num_restarts=1, lr=0.1)
    minimized = ContentOptimizer(tiny64, dataclasses.replace(settings, stop_rule="minimize")).optimize(problems[:3])
    exact = ContentOptimizer(tiny64, dataclasses.replace(settings, stop_rule="exact")).optimize(problems[:3])
    assert [one.exact_step for one in minimized] == [one.steps for one in exact] == [one.exact_step for one in exact]
    assert all(
        one.steps > one.exact_step and one.loss < other.loss for one, other in zip(minimized, exact, strict=True)
    )


@pytest.mark.parametrize("layers", ["shuffled", "random"])
def test_changed_layers_leave_the_vocabulary_and_nothing_else(tiny, problems, layers):
    changed = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float32", layers=layers))
    again = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float32", layers=layers))
    assert changed.fingerprint() == again.fingerprint() != tiny.fingerprint()
    ids = torch.arange(50)
    assert torch.equal(changed.embed(ids), tiny.embed(ids))
    before, after = tiny.model.model.layers, changed.model.model.layers
    for index, block in enumerate(after):
        weight = block.self_attn.q_proj.weight
        assert not torch.equal(weight, before[index].self_attn.q_proj.weight), "a block stayed what it was"
        if layers == "random":
            assert weight.std().item() == pytest.approx(before[index].self_attn.q_proj.weight.std().item(), rel=0.05)
    if layers == "shuffled":
        sums = [sorted(block.self_attn.q_proj.weight.sum().item() for block in those) for those in (before, after)]
        assert sums[0] == pytest.approx(sums[1])
    content = initial_content(tiny, problems[0], 4, "tokens", 0, 0)[None]
    assert (
        losses_at(changed, problems[0], content)["loss"].item() != losses_at(tiny, problems[0], content)["loss"].item()
    )


def test_random_answers_keep_question_length_and_start(tiny, pairs, problems):
    for problem in problems:
        random = with_random_answer(tiny, problem)
        assert random.id == problem.id and random.views[0] == problem.views[0]
        ids, before = random.views[1].target_ids, problem.views[1].target_ids
        assert len(ids) == len(before) and ids[-1] == tiny.eos_id and ids != before
        assert tiny.eos_id not in ids[:-1]
        assert with_random_answer(tiny, problem) == random, "drawn from the id"


def test_classes_hold_out_the_last_phrasings(tiny, pairs):
    pair = pairs[0]
    texts = [view.target_text for view in of_class(tiny, pair, ("Q", "A")).views]
    assert pair.question in texts and pair.answer in texts and pair.question_paraphrases[0] in texts
    assert pair.question_paraphrases[-1] not in texts and pair.answer_paraphrases[-1] not in texts


def test_rephrased_pairs_start_elsewhere_and_share_the_answer(tiny, pairs, problems):
    other = rephrased(tiny, pairs[0], ("Q", "A"))
    assert other.pair == problems[0].pair and other.id != problems[0].id
    assert other.views[1] == problems[0].views[1]
    assert other.views[0].target_text == pairs[0].question_paraphrases[0]


def test_views_apart_serve_one_target_each(problems):
    first, second = views_apart(problems[0])
    assert (first.views, second.views) == ((problems[0].views[0],), (problems[0].views[1],))
    assert len({first.id, second.id, problems[0].id}) == 3


def test_mismatched_neighbors_in_length_stay_about_as_long(tiny, pairs):
    true = joint(24)(tiny, pairs)
    exchange = exchanged(joint(24))(tiny, pairs)
    assert sorted(problem.id for problem in true) == sorted(problem.id for problem in exchange)
    own = {problem.id: problem.views for problem in true}
    changes = []
    for problem in exchange:
        question, answer = own[problem.id]
        assert problem.views[0] == question and problem.views[1].target_ids != answer.target_ids
        changes.append(abs(len(problem.views[1].target_ids) - len(answer.target_ids)))
    assert sorted(changes)[len(changes) // 2] <= 1, "most answers change places with one that is about as long"
    sample = sample_of(pairs, 24)
    assert len({pair.answer for pair in sample}) == 24 and {
        sum(p.topic == t.topic for p in sample) for t in sample
    } == {2}
    assert mismatched(true)[0].id == true[0].id and joint_problems(tiny, sample, ("Q", "A")) == true
