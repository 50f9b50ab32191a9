"""What is read while contents are sought: noise, and the Generator's own words in the target's place."""

import dataclasses

import pytest
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.look import losses_at
from dcm_helpers.objective import (
    heard,
    noise,
    scheduled_exponential,
    scheduled_linear,
    scheduled_sigmoid,
    with_own_words,
)
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.optimize.parameterization import random_subspace
from dcm_helpers.stm import initial_content, lay_out, target_logits, view_rows

ALL_STEPS = OptimizerConfig(K=4, num_steps=15, num_restarts=1, stop_rule="minimize", lr=0.1)
SCHEDULES = ("scheduled_linear", "scheduled_exponential", "scheduled_sigmoid")


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_noise_is_a_share_of_each_slots_norm_and_new_at_every_step():
    contents = drawn(2, 3, 8)
    first, second = (noise(contents, 0.1, [("one", 0, step), ("other", 0, step)]) for step in (0, 1))
    for read in (first, second):
        torch.testing.assert_close((read - contents).norm(dim=2), 0.1 * contents.norm(dim=2))
    assert not torch.allclose(first, second) and not torch.allclose(first[0] - contents[0], first[1] - contents[1])
    assert torch.equal(first[:1], noise(contents[:1], 0.1, [("one", 0, 0)])), "whatever is beside it"


def test_shares_of_targets_fall():
    for schedule in (scheduled_linear, scheduled_exponential, scheduled_sigmoid):
        shares = [schedule(step, 20.0) for step in range(0, 400, 10)]
        assert shares == sorted(shares, reverse=True) and shares[0] > 0.9 and shares[-1] < 1e-3
    assert scheduled_linear(5, 20.0) == 0.75 and scheduled_linear(40, 20.0) == 0
    assert scheduled_exponential(20, 20.0) == pytest.approx(0.3679, abs=1e-4)
    assert scheduled_sigmoid(10, 20.0) > scheduled_exponential(10, 20.0), "it stays near 1 for a while"
    assert scheduled_sigmoid(10**6, 20.0) < 1e-9


def test_own_words_are_heard_by_share_and_never_the_last():
    words, mask = torch.arange(50), torch.ones(3, 60, dtype=torch.bool)
    places = [("a", 0, 1), ("b", 0, 1), ("c", 0, 1)]
    assert not heard([words] * 3, mask, places, [1.0] * 3).any()
    every = heard([words, None, words], mask, places, [0.0] * 3)
    assert every[0, :49].all() and not every[0, 49:].any() and not every[1].any()
    half = heard([words] * 3, mask, places, [0.5] * 3)[:, :49].float().mean()
    assert 0.35 < half < 0.65
    assert not heard([torch.ones(50, dtype=torch.long)] * 3, mask, places, [0.0] * 3).any(), "words that are stuck"
    few = torch.tensor([7, 8, 9] * 7)
    assert not heard([few], torch.ones(1, 22, dtype=torch.bool), places[:1], [0.0]).any(), (
        "a few words, again and again"
    )


def test_own_words_stand_where_the_target_did(tiny64, problems):
    """Read in the target's place, they give what a row with these words as its target's beginning would predict."""
    rows, contents = view_rows(tiny64, problems[:2]), drawn(2, 3, tiny64.width)
    layout = lay_out(tiny64, rows, 3)
    others = torch.where(layout.target_mask, (layout.target_ids + 1) % 50 + 3, layout.target_ids)
    read_at_all = torch.arange(others.shape[1]) < layout.target_mask.sum(1)[:, None] - 1
    read = with_own_words(tiny64, layout, others, layout.target_mask & read_at_all)
    written = [
        dataclasses.replace(row, target_ids=tuple(ids[: len(row.target_ids)].tolist()))
        for row, ids in zip(rows, others, strict=True)
    ]
    expected = target_logits(tiny64, lay_out(tiny64, written, 3), contents)
    torch.testing.assert_close(target_logits(tiny64, read, contents), expected)
    assert torch.equal(read.target_ids, layout.target_ids), "what is to be predicted stays"


@pytest.mark.parametrize("name", SCHEDULES)
def test_what_is_stored_was_measured_with_the_targets_own_words(tiny64, problems, name):
    config = dataclasses.replace(ALL_STEPS, num_steps=60, stop_rule="exact", terms=((name, 10.0),))
    for problem, result in zip(problems[:4], ContentOptimizer(tiny64, config).optimize(problems[:4]), strict=True):
        told = losses_at(tiny64, problem, result.content[None])
        assert result.loss == pytest.approx(told["loss"].item(), rel=1e-6)
        assert result.reconstructed == told["teacher_forced_exact"].item()
        assert [step for step, _ in result.history] == list(range(result.steps + 1)), "no content goes unseen"


def test_a_problem_does_not_know_its_neighbors(tiny64, problems):
    for terms in ((("noise", 0.1),), (("scheduled_linear", 10.0),)):
        config = dataclasses.replace(ALL_STEPS, terms=terms)
        (alone,) = ContentOptimizer(tiny64, config).optimize(problems[:1])
        (among, *_) = ContentOptimizer(tiny64, config).optimize(problems[:3])
        torch.testing.assert_close(alone.content, among.content, rtol=1e-5, atol=1e-7)


def test_own_words_are_read_by_one_schedule():
    with pytest.raises(InputError, match="one schedule; name one of scheduled_linear and scheduled_sigmoid"):
        OptimizerConfig(terms=(("scheduled_linear", 10.0), ("scheduled_sigmoid", 10.0)))
    with pytest.raises(InputError, match=r"the term .noise. has the number 2; expected 0, .* to 1"):
        OptimizerConfig(terms=(("noise", 2.0),))


def test_noise_finds_contents_that_bear_noise(tiny64, problems):
    """What is kept is exact without noise, and more often exact with some than what was found without."""
    kept = {}
    for terms in ((), (("noise", 0.3),)):
        config = dataclasses.replace(ALL_STEPS, num_steps=150, terms=terms)
        results = ContentOptimizer(tiny64, config).optimize(problems[:6])
        shares = []
        for problem, result in zip(problems, results, strict=False):
            (exact,) = losses_at(tiny64, problem, result.content[None])["teacher_forced_exact"]
            assert result.reconstructed == exact
            moved = torch.stack([noise(result.content[None], 0.3, [(problem.id, 9, draw)])[0] for draw in range(10)])
            shares.append(losses_at(tiny64, problem, moved)["teacher_forced_exact"].mean())
        kept[bool(terms)] = sum(shares) / len(shares)
    assert kept[True] > kept[False] + 0.1, kept


def test_noise_leaves_what_is_kept_where_it_may_lie(tiny64, problems):
    """Noise is read and not kept: held slots keep their norm, and contents their subspace."""
    for lives in ("held_norm", "projection"):
        config = dataclasses.replace(ALL_STEPS, terms=(("noise", 0.3),), parameterization=lives)
        (result,) = ContentOptimizer(tiny64, config).optimize(problems[:1])
        start = initial_content(tiny64, problems[0], config.K, "tokens", 0, 0)
        if lives == "held_norm":
            torch.testing.assert_close(result.content.norm(dim=1), start.norm(dim=1))
        else:
            moved, rows = result.content - start, random_subspace(tiny64.width, 64).to(start)
            torch.testing.assert_close(moved @ rows.T @ rows, moved)
