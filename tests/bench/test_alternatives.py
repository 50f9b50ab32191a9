"""Our loop against the plain ways to do the same: equal trajectories where settings are equal."""

from functools import partial

import pytest
import torch
from judges import same_bits, weights

from dcm_helpers.bench.alternatives import cramming_adamw, one_at_a_time, peft_prompt_tuning, static_batch
from dcm_helpers.bench.speed import starts
from dcm_helpers.config import OptimizerConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import Problem, View, joint_problems

CONFIG = OptimizerConfig(
    K=8, lr=0.1, num_steps=60, num_restarts=1, stop_rule="exact", weighting="view", beta2=0.95, batch_size=3
)
ADAM = partial(torch.optim.Adam, lr=CONFIG.lr, betas=(0.9, 0.95))


@pytest.fixture(scope="module")
def ours(tiny64, pairs):
    """Five problems, some solved within the steps, in float64 with groups, refills and padding."""
    problems = joint_problems(tiny64, pairs[:5])
    results = ContentOptimizer(tiny64, CONFIG).optimize(problems)
    assert len({result.steps for result in results}) > 1
    return problems, results


def assert_same(results, outcomes):
    for result, outcome in zip(results, outcomes, strict=True):
        assert (result.reconstructed, result.steps) == (outcome.teacher_forced_exact, outcome.steps_to_exact)
        if outcome.teacher_forced_exact:  # otherwise ours is the best of all contents, theirs the last
            torch.testing.assert_close(result.content, outcome.content, rtol=0, atol=1e-6)


def test_whole_trajectories_are_those_of_one_pair_at_a_time(tiny64, ours):
    problems, results = ours
    contents = starts(tiny64, problems, CONFIG)
    outcomes = [
        one_at_a_time(tiny64, problem, start, ADAM, CONFIG.num_steps)
        for problem, start in zip(problems, contents, strict=True)
    ]
    assert any(outcome.teacher_forced_exact for outcome in outcomes)
    assert_same(results, outcomes)
    assert all(outcome.evaluations == outcome.steps_to_exact + 1 for outcome in outcomes)


def test_whole_trajectories_are_those_of_a_static_batch(tiny64, ours):
    problems, results = ours
    outcomes = static_batch(tiny64, problems, starts(tiny64, problems, CONFIG), ADAM, CONFIG.num_steps)
    assert_same(results, outcomes)
    slowest = max(outcome.steps_to_exact for outcome in outcomes)
    assert all(outcome.evaluations == slowest + 1 for outcome in outcomes)


def test_peft_learns_a_prompt_and_leaves_the_generator_as_it_was(tiny, problems):
    pytest.importorskip("peft")
    before, attributes = weights(tiny), set(vars(tiny.model))
    make = partial(torch.optim.AdamW, lr=0.1)
    start = starts(tiny, problems[:1], CONFIG)[0]
    outcome = peft_prompt_tuning(tiny, problems[0], start, make, 300)
    assert same_bits(before, weights(tiny)) and set(vars(tiny.model)) == attributes
    assert outcome.teacher_forced_exact and not torch.equal(outcome.content, start)
    for view in problems[0].views:  # read by hand: the prompt, then the mode, then the target
        after = tiny.embed(torch.tensor([*view.mode_ids, *view.target_ids]))
        logits = tiny.model(inputs_embeds=torch.cat([outcome.content, after])[None]).logits[0]
        predicted = logits[-len(view.target_ids) - 1 : -1].argmax(-1)
        assert tuple(predicted.tolist()) == view.target_ids


def test_settings_of_the_cramming_paper():
    (group,) = cramming_adamw([torch.nn.Parameter(torch.zeros(2))]).param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.01, (0.9, 0.9), 0.01)


def test_alternatives_read_what_is_given(tiny64, pairs):
    """A view with something given, and a Generator with a BOS token, in the same row order as ours."""
    view = View.of(tiny64, "carbon", "A", given="Say: ")
    problem = Problem("given", (view,))
    (result,) = ContentOptimizer(tiny64, CONFIG).optimize([problem])
    outcome = one_at_a_time(tiny64, problem, starts(tiny64, [problem], CONFIG)[0], ADAM, CONFIG.num_steps)
    assert_same([result], [outcome])
