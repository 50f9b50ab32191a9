"""Losses of target tokens, worked on some rows at a time, beside what autograd makes of the plain formula."""

import pytest
import torch
from torch.nn import functional as F

from dcm_helpers.stm import losses
from dcm_helpers.stm.losses import TokenLosses

M, W = 7, 50


def drawn(dtype=torch.float64, seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = (torch.randn(M, W, generator=random, dtype=torch.float64) * 3).to(dtype)
    return logits.requires_grad_(), torch.randint(W, (M,), generator=random), torch.rand(M, generator=random)


@pytest.mark.parametrize("cells", [1, W, 3 * W, 100 * W])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_losses_and_gradients_are_cross_entropy_s(monkeypatch, cells, dtype):
    monkeypatch.setitem(losses.CELLS, "cpu", cells)
    logits, targets, weights = drawn(dtype)
    exact = logits.detach().double().requires_grad_()
    ours, _ = TokenLosses.apply(logits, targets)
    plain = F.cross_entropy(exact, targets, reduction="none")
    assert ours.dtype == (torch.float64 if dtype is torch.float64 else torch.float32)
    close = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 4e-3}[dtype]
    torch.testing.assert_close(ours.double(), plain, rtol=0, atol=min(close, 2e-6))
    (gradient,) = torch.autograd.grad((weights * ours).sum(), logits)
    (wanted,) = torch.autograd.grad((weights * plain).sum(), exact)
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient.double(), wanted, rtol=close, atol=1e-12 + close / 100)


def test_it_is_differentiable_twice():
    logits, targets, weights = drawn()
    assert torch.autograd.gradgradcheck(lambda x: (weights.double() * TokenLosses.apply(x, targets)[0]).sum(), logits)


def test_a_loss_near_zero_keeps_its_digits():
    logits = torch.full((1, W), -20.0)
    logits[0, 3] = -3.0  # 17 above the others, and not near 0
    nll, wins = TokenLosses.apply(logits, torch.tensor([3]))
    assert wins.all() and nll.item() == pytest.approx(49 * 2.718281828**-17, abs=3e-7), "what float32 adds to 1"


def test_a_token_wins_only_if_no_other_has_as_much():
    logits = torch.zeros(3, W)
    logits[0, 5], logits[1, 5], logits[1, 6], logits[2, 6] = 1.0, 1.0, 1.0, 2.0
    _, wins = TokenLosses.apply(logits, torch.tensor([5, 5, 5]))
    assert wins.tolist() == [True, False, False]
    _, wins = TokenLosses.apply(torch.full((1, W), float("nan")), torch.tensor([5]))
    assert not wins.any(), "what is no number is no prediction"
