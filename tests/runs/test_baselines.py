"""Baselines by hand, and the convergence criterion at its edges."""

import dataclasses

import pytest
import torch
from judges import plain_nll

from dcm_helpers.generator import token_rows
from dcm_helpers.runs import view_baselines
from dcm_helpers.runs.baselines import DRAWS, TOGETHER, computed_together
from dcm_helpers.runs.verdicts import converged_by
from dcm_helpers.seeds import seeded
from dcm_helpers.stm import joint_problems


def nll_after(generator, prompt, target):
    log_p = generator.model(input_ids=torch.tensor([[*prompt, *target]])).logits[0].log_softmax(-1)
    return [-log_p[len(prompt) + t - 1, token].item() for t, token in enumerate(target)]


def test_baselines_are_what_the_contract_defines(tiny, pairs):
    pair = pairs[0]
    (problem,) = joint_problems(tiny, [pair])
    ((question, answer),) = view_baselines(tiny, [problem], [pair], K=8, seed=4)
    assert set(question) == {"random", "single_token", "full_context"}
    assert set(answer) == {"random", "single_token", "full_context", "question_only"}
    for view, baselines in zip(problem.views, (question, answer), strict=True):
        for name, slots in (("random", 8), ("single_token", 1)):
            contents = [token_rows(tiny, slots, seeded(name, 4, problem.id, draw)) for draw in range(DRAWS)]
            nll = torch.stack([plain_nll(tiny, view, content) for content in contents])
            assert baselines[name]["loss"] == pytest.approx(nll.mean().item(), rel=1e-4)
            assert baselines[name]["loss_text"] == pytest.approx(nll[:, :-1].mean().item(), rel=1e-4)
    # the tiny Generator has no chat template: text, then the cue on its own line
    prompts = {
        "question_only": f"{pair.question}\nAnswer:\n",
        "full_context": f"{pair.context}\n\n{pair.question}\nAnswer:\n",
    }
    for name, prompt in prompts.items():
        nll = nll_after(tiny, tiny.text_ids(prompt), problem.views[1].target_ids)
        assert answer[name]["loss"] == pytest.approx(sum(nll) / len(nll), rel=1e-4)
        assert answer[name]["loss_text"] == pytest.approx(sum(nll[:-1]) / (len(nll) - 1), rel=1e-4)
    prompt = tiny.text_ids(f"{pair.context}\n\nAsk one question about this text.\nQuestion:\n")
    nll = nll_after(tiny, prompt, problem.views[0].target_ids)
    assert question["full_context"]["loss"] == pytest.approx(sum(nll) / len(nll), rel=1e-4)


def test_context_that_is_missing_or_too_long(tiny, pairs):
    (problem,) = joint_problems(tiny, pairs[:1])
    for context in ("", "far too long " * 300):
        pair = dataclasses.replace(pairs[0], context=context)
        (found,) = view_baselines(tiny, [problem], [pair], K=4, seed=0)
        for baselines in found:
            assert baselines["full_context"] is None
            assert baselines["random"]["loss_text"] > 0


def test_together_they_are_what_each_is_alone(tiny64, pairs):
    some = pairs[:3]
    problems = joint_problems(tiny64, some)
    for place, found in enumerate(view_baselines(tiny64, problems, some, K=4, seed=1)):
        (alone,) = view_baselines(tiny64, problems[place : place + 1], some[place : place + 1], K=4, seed=1)
        for of_view, of_one in zip(found, alone, strict=True):
            assert of_view.keys() == of_one.keys()
            for name, losses in of_one.items():
                assert losses is None or of_view[name] == pytest.approx(losses, rel=1e-9)


def test_neighbors_are_computed_together_whoever_is_asked_for_first(tiny, pairs):
    problems, asked = joint_problems(tiny, pairs[: TOGETHER + 2]), []
    computed = computed_together(problems, lambda some: asked.append(some) or [each.id for each in some])
    for problem in reversed(problems):
        assert computed(problem) == problem.id
    assert asked == [problems[TOGETHER:], problems[:TOGETHER]]


@pytest.mark.parametrize(
    ("loss_text", "context", "clauses"),
    [
        (1.19, 0.5, ["random"]),
        (1.21, 0.7, ["full_context"]),
        (0.9, 0.5, ["random", "full_context"]),
        (1.21, 0.6, []),
        (1.19, None, ["random"]),
        (1.21, None, []),
        (float("nan"), 0.6, []),
    ],
)
def test_convergence_names_the_clauses_that_fired(loss_text, context, clauses):
    baselines = {
        "random": {"loss": 9.0, "loss_text": 4.0},
        "full_context": None if context is None else {"loss": 9.0, "loss_text": context},
    }
    assert converged_by(loss_text, baselines) == clauses
