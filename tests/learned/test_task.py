"""The task-level prompt, against prompt tuning as PEFT has it, on the same data and settings."""

import dataclasses
from threading import Event

import pytest
import torch
from judges import plain_nll

from dcm_helpers.bench.alternatives import intact
from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.learned import (
    Diverged,
    answers_after_questions,
    halves_of,
    require_task,
    task_losses,
    task_prompt,
)
from dcm_helpers.learned import task as module
from dcm_helpers.seeds import seeded
from dcm_helpers.stm import Problem, Row, View, initial_content, score_rows

BATCH = 4
SETTINGS = OptimizerConfig(K=4, num_steps=12, lr=0.05, stop_rule="minimize", num_restarts=1)


def by_peft(generator, views, config):
    """PEFT's prompt tuning with the same start, minibatches and Adam: losses before each update, and the prompt."""
    from peft import PromptTuningConfig, get_peft_model

    with intact(generator):
        tuned = get_peft_model(generator.model, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=config.K))
        (prompt,) = [each for each in tuned.parameters() if each.requires_grad]
        prompt.data = initial_content(generator, Problem("task", tuple(views)), config.K, config.start, config.seed, 0)
        adam = torch.optim.Adam([prompt], lr=config.lr, betas=(0.9, config.beta2))
        losses, waiting = [], []
        for step in range(config.num_steps):
            if len(waiting) < BATCH:
                waiting = torch.randperm(len(views), generator=seeded("task", config.seed, step)).tolist()
            chosen, waiting = waiting[:BATCH], waiting[BATCH:]
            texts = [(*views[index].given_ids, *views[index].target_ids) for index in chosen]
            ids = torch.full((len(texts), max(map(len, texts))), generator.eos_id)
            labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
            for row, (index, text) in enumerate(zip(chosen, texts, strict=True)):
                ids[row, : len(text)], mask[row, : len(text)] = torch.tensor(text), 1
                labels[row, len(views[index].given_ids) : len(text)] = torch.tensor(views[index].target_ids)
            loss = tuned(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
        return losses, prompt.detach().clone()


def test_losses_are_those_of_prompt_tuning(tiny64, pairs):
    views = answers_after_questions(tiny64, pairs[:10])
    ours = task_prompt(tiny64, views, SETTINGS, batch=BATCH)
    losses, prompt = by_peft(tiny64, views, SETTINGS)
    assert ours.losses == pytest.approx(losses, rel=1e-5)
    torch.testing.assert_close(ours.content, prompt, rtol=1e-3, atol=1e-5)


def test_one_prompt_lowers_the_loss_of_all(tiny, pairs):
    views = answers_after_questions(tiny, pairs[:8])
    found = task_prompt(tiny, views, dataclasses.replace(SETTINGS, num_steps=40, lr=0.1))
    start = initial_content(tiny, Problem("task", tuple(views)), 4, "tokens", 0, 0)
    rows = [Row.of(tiny, view, 0) for view in views]
    before, after = (
        sum(each["loss"] for each in score_rows(tiny, rows, content[None], 4)) / len(rows)
        for content in (start, found.content)
    )
    assert after < before - 0.5 and len(found.losses) == 40


@pytest.mark.parametrize("weighting", ["token", "view"])
def test_tokens_or_views_pull_equally(tiny64, pairs, weighting):
    """Gradients against autograd over every answer by itself."""
    views = answers_after_questions(tiny64, pairs[:4])
    config = dataclasses.replace(SETTINGS, weighting=weighting)
    start = initial_content(tiny64, Problem("task", tuple(views)), 4, "tokens", 0, 0).double()
    loss, gradient = module.of_minibatch(tiny64, views, start[None], config)
    leaf = start.clone().requires_grad_()
    nll = [plain_nll(tiny64, view, leaf) for view in views]
    by_token = torch.cat(nll).mean()
    (by_token if weighting == "token" else torch.stack([each.mean() for each in nll]).mean()).backward()
    assert loss == pytest.approx(by_token.item(), rel=1e-6)
    torch.testing.assert_close(gradient[0], leaf.grad, rtol=1e-5, atol=1e-7)


def test_it_is_found_again_and_can_be_stopped(tiny, pairs):
    views = answers_after_questions(tiny, pairs[:6])
    once, again = (task_prompt(tiny, views, SETTINGS) for _ in range(2))
    assert torch.equal(once.content, again.content) and once.losses == again.losses
    stop = Event()
    stop.set()
    assert task_prompt(tiny, views, SETTINGS, stop).losses == ()
    with pytest.raises(InputError, match="at least one pair"):
        task_prompt(tiny, [], SETTINGS)


def test_a_task_level_prompt_is_judged_on_pairs_it_never_saw(tiny, pairs, monkeypatch):
    config, seen, find = OptimizerConfig(K=4, num_steps=3), [], module.task_prompt

    def watched(generator, views, *settings):
        found = find(generator, views, *settings)
        seen.append(({view.target_text for view in views}, found.content))
        return found

    monkeypatch.setattr(module, "task_prompt", watched)
    losses = task_losses(tiny, pairs[:5], config)
    assert losses.keys() == {pair.id for pair in pairs[:5]} and len(seen) == 2
    for pair in pairs[:5]:
        ((_, prompt),) = [(texts, prompt) for texts, prompt in seen if pair.answer not in texts]
        view = View.of(tiny, pair.answer, given=f"{pair.question}\n")
        nll = plain_nll(tiny, view, prompt)
        assert losses[pair.id]["loss"] == pytest.approx(nll.mean().item(), rel=1e-4)
        assert losses[pair.id]["loss_text"] == pytest.approx(nll[:-1].mean().item(), rel=1e-4)
    stop = Event()
    stop.set()
    assert task_losses(tiny, pairs[:4], config, stop) == {}
    with pytest.raises(InputError, match="of 1 pairs all share"):
        task_losses(tiny, pairs[:1], config)


def test_halves_share_neither_answers_nor_contexts(pairs):
    some = [dataclasses.replace(pair, id=str(index)) for index, pair in enumerate(pairs[:9])]
    some[1] = dataclasses.replace(some[1], answer=some[0].answer.upper())
    some[2] = dataclasses.replace(some[2], context=some[1].context)  # so that 0, 1 and 2 belong together
    some[3] = dataclasses.replace(some[3], context="")
    some[4] = dataclasses.replace(some[4], context="")
    one, other = halves_of(some)
    assert sorted(pair.id for pair in (*one, *other)) == list("012345678") and abs(len(one) - len(other)) == 1
    together = [{"0", "1", "2"} <= {pair.id for pair in half} for half in (one, other)]
    assert together.count(True) == 1
    with pytest.raises(InputError, match="of 3 pairs all share an answer or a context"):
        halves_of(some[:3])


def test_what_is_let_in_before_any_work_is_let_in_later(tiny, pairs):
    """One rule for what fits: nothing is decoded after a task-level prompt, so no room is needed for that."""
    lengths = [Row.of(tiny, view, 0).length(0) for view in answers_after_questions(tiny, pairs[:4])]
    fits = tiny.window - max(lengths)
    require_task(tiny, pairs[:4], fits)
    settings = dataclasses.replace(SETTINGS, K=fits, num_steps=1)
    assert len(task_losses(tiny, pairs[:4], settings)) == 4
    for check in (require_task, lambda *those: task_losses(*those[:2], dataclasses.replace(settings, K=fits + 1))):
        with pytest.raises(InputError, match=f"have {tiny.window + 1} positions, read at once"):
            check(tiny, pairs[:4], fits + 1)


def test_a_loss_that_is_not_finite_is_no_baseline(tiny, pairs):
    with pytest.raises(Diverged, match=r"became \S+ at lr 1e\+38"):
        task_losses(tiny, pairs[:4], dataclasses.replace(SETTINGS, lr=1e38))
