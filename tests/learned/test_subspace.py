"""A subspace that problems share: learned from some, held fixed for others."""

import dataclasses
from functools import partial
from threading import Event

import pytest
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.learned import shared_subspace
from dcm_helpers.learned.subspace import of_minibatch, orthonormal
from dcm_helpers.optimize import ContentOptimizer, Projection, random_subspace
from dcm_helpers.stm import initial_content, joint_problems, restarts_of, view_weights

CONFIG = OptimizerConfig(K=4, num_steps=60, lr=0.03, num_restarts=1, stop_rule="exact")  # lr as in the study
RANK = 12


@pytest.fixture(scope="module")
def learned(tiny, pairs):
    return shared_subspace(tiny, joint_problems(tiny, pairs[:8]), CONFIG, RANK)


def test_gradients_are_those_of_the_loop(tiny64, problems):
    """Against autograd over all problems at once, written without groups."""
    from judges import plain_nll

    contents = torch.stack([initial_content(tiny64, each, 4, "tokens", 0, 0) for each in problems[:3]])
    contents = contents.double().requires_grad_()
    total, gradient = of_minibatch(tiny64, problems[:3], contents.detach(), CONFIG)
    plain = 0.0
    for problem, content in zip(problems[:3], contents, strict=True):
        nll = torch.cat([plain_nll(tiny64, view, content) for view in problem.views])
        plain = plain + 2 * nll.sum() / len(nll)  # every token pulls equally; the mean weight of a view is 1
    plain.backward()
    assert total == pytest.approx(plain.item(), rel=1e-6)
    torch.testing.assert_close(gradient, contents.grad, rtol=1e-5, atol=1e-7)


def test_it_helps_those_it_was_learned_from(tiny, pairs, learned):
    assert learned.basis.shape == (RANK, tiny.width)
    torch.testing.assert_close(learned.basis @ learned.basis.T, torch.eye(RANK, dtype=torch.float64))
    assert learned.losses[-1] < 0.7 * learned.losses[0]
    assert RANK / tiny.width < learned.overlap < 0.8, "it is not the random one that it began as"
    problems = joint_problems(tiny, pairs[:8])
    random = Projection(random_subspace(tiny.width, RANK))
    by_basis = [
        ContentOptimizer(tiny, dataclasses.replace(CONFIG, stop_rule="minimize"), each).optimize(problems)
        for each in (Projection(learned.basis), random)
    ]
    own, other = (sum(result.loss for result in results) for results in by_basis)
    assert own < other, "directions that were learned reach lower losses than random ones"


def test_contents_move_in_it_alone(tiny, pairs, learned):
    (problem,) = joint_problems(tiny, pairs[10:11])
    (found,) = ContentOptimizer(tiny, CONFIG, Projection(learned.basis)).optimize([problem])
    moved = (found.content - initial_content(tiny, problem, 4, "tokens", 0, 0)).double()
    assert moved.norm() > 0.1
    torch.testing.assert_close(moved @ learned.basis.T @ learned.basis, moved, rtol=1e-4, atol=1e-5)


def test_rows_stay_the_rows_that_they_were():
    """Adam's averages are not turned, so a row must not turn round; what lies in the subspace stays where it was."""
    random = torch.Generator().manual_seed(0)
    rows, z = random_subspace(40, 6), torch.randn(3, 6, generator=random, dtype=torch.float64)
    for _ in range(20):
        moved = rows + 0.05 * torch.randn(6, 40, generator=random, dtype=torch.float64)
        near, turned = orthonormal(moved)
        torch.testing.assert_close(near @ near.T, torch.eye(6, dtype=torch.float64))
        torch.testing.assert_close(z @ moved, z @ turned @ near)
        assert (near * rows).sum(1).min() > 0.8
        rows = near


def test_the_start_is_the_loops_start(tiny, pairs):
    """Also of a problem with another start, whose id says so: seeds are those of a first attempt."""
    (again,) = restarts_of(joint_problems(tiny, pairs[:1])[0], 1)
    one = dataclasses.replace(CONFIG, num_steps=1)
    (found,) = ContentOptimizer(tiny, dataclasses.replace(one, stop_rule="minimize"), Projection()).optimize([again])
    expected = sum(
        weight * loss for weight, loss in zip(view_weights(again, "token"), found.history[0][1], strict=True)
    )
    assert shared_subspace(tiny, [again], one).losses[0] == pytest.approx(expected, rel=1e-4)


def test_a_loss_that_is_not_finite_ends_it(tiny, pairs):
    with pytest.raises(InputError, match=r"the loss became \S+ at step 1 and lr 1e\+38"):
        shared_subspace(tiny, joint_problems(tiny, pairs[:2]), dataclasses.replace(CONFIG, lr=1e38), RANK)


def test_it_is_learned_again_and_can_be_stopped(tiny, pairs):
    problems, short = joint_problems(tiny, pairs[:5]), dataclasses.replace(CONFIG, num_steps=4)
    with pytest.raises(InputError, match="a subspace of 0 dimensions"):
        shared_subspace(tiny, problems, short, 0)
    learn = partial(shared_subspace, tiny, problems, short, RANK)
    once, again = learn(), learn()
    assert torch.equal(once.basis, again.basis) and once.losses == again.losses and len(once.losses) == 4
    stop = Event()
    stop.set()
    assert learn(stop=stop).losses == ()
    with pytest.raises(InputError, match="at least one problem"):
        shared_subspace(tiny, [], short)
