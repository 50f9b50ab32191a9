"""What the network may and may not look at."""

import pytest
import torch

from dcm_helpers.config import NetworkConfig
from dcm_helpers.diffuser import Network, usual_of
from dcm_helpers.diffuser.network import FARTHEST, attended

K, D, X, Y = 3, 5, 4, 6


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = Network(K, D, torch.stack([torch.zeros(Y), torch.ones(Y)]), NetworkConfig(16, 2, 2)).double()
    torch.nn.init.normal_(network.write.weight)  # at first it writes nothing
    torch.nn.init.normal_(network.modulate.weight, std=0.1)
    return network


@pytest.fixture
def given():
    random = torch.Generator().manual_seed(1)
    noisy, estimate = torch.randn(2, 2, K, D, generator=random, dtype=torch.float64)
    condition = torch.randn(2, X, Y, generator=random, dtype=torch.float64)
    told = torch.ones(2, X, dtype=torch.bool)
    return [noisy, torch.tensor([0.2, 0.8], dtype=torch.float64), estimate, condition, told]


@pytest.mark.parametrize("which", range(4))
def test_all_that_is_given_is_read(network, given, which):
    changed = [value.clone() for value in given]
    changed[which][0] += 0.1
    before, after = network(*given), network(*changed)
    assert not torch.allclose(before[0], after[0]) and torch.equal(before[1], after[1]), "examples see each other"


def test_what_is_not_told_is_not_read(network, given):
    *rest, condition, told = given
    told[:, 2:] = False
    changed = condition.clone()
    changed[:, 2:] = 7.0
    short = network(*rest, condition[:, :2], told[:, :2])
    torch.testing.assert_close(network(*rest, condition, told), short)
    torch.testing.assert_close(network(*rest, changed, told), short)
    nothing = network(*rest, condition, torch.zeros_like(told))
    assert nothing.isfinite().all()
    torch.testing.assert_close(nothing, network(*rest, changed, torch.zeros_like(told)))


def test_slots_and_positions_have_an_order(network, given):
    noisy, time, estimate, condition, told = given
    turned = network(noisy.flip(1), time, estimate.flip(1), condition, told).flip(1)
    assert not torch.allclose(turned, network(*given))
    assert not torch.allclose(network(noisy, time, estimate, condition.flip(1), told), network(*given))


def test_states_are_read_by_what_is_usual_in_them(network, given):
    *rest, condition, told = given
    network.usual.copy_(torch.stack([torch.full((Y,), 70.0), torch.full((Y,), 3.0)]))
    moved = network(*rest, 70 + 3 * condition, told)
    network.usual.copy_(torch.stack([torch.zeros(Y), torch.ones(Y)]))
    torch.testing.assert_close(moved, network(*rest, condition, told))
    far, farther = (condition.clone() for _ in range(2))
    far[0, 0], farther[0, 0] = FARTHEST, 25_000.0
    assert torch.equal(network(*rest, far, told), network(*rest, farther, told))


def test_one_token_does_not_decide_what_is_usual():
    random = torch.Generator().manual_seed(0)
    conditions = [5 + 2 * torch.randn(50, Y, generator=random) for _ in range(40)]
    for states in conditions:
        states[0] = 25_000.0
    middle, spread = usual_of(conditions)
    assert (middle - 5).abs().max() < 0.3 and (spread - 2).abs().max() < 0.3
    assert (usual_of([torch.ones(5, Y)])[1] > 0).all(), "what never changes would be divided by nothing"


def test_what_is_attended_to_is_what_is_taken(network, given):
    """One position is told: what slots do not take of it goes to nothing. And the weights are the layer's."""
    *rest, condition, told = given
    told[:, 1:] = False
    shares = attended(network, *rest, condition, told)
    assert shares.shape == (2, 2, K, X) and (shares[..., 1:] == 0).all() and (shares[..., 0] > 0).all()
    attention = network.blocks[0].ask
    hidden, read = torch.randn(2, 1, 3, 16, dtype=torch.float64)
    seen = torch.tensor([[[[True, False, True]]]])
    value = attention.of(attention.value, read)
    taken = attention.out((attention.weights(hidden, read, seen) @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(taken, attention(hidden, read, seen))
