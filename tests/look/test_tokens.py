"""How slots lie to tokens, against nulls."""

import numpy as np
import pytest
import torch

from dcm_helpers.generator import nearest_of_tokens, nearest_tokens, token_rows
from dcm_helpers.look import random_travel, rank_among_tokens, slot_geometry, snapped, turned


def test_snapping_gives_token_embeddings(tiny):
    start = token_rows(tiny, 16, torch.Generator().manual_seed(1)).view(2, 8, -1)
    for by in ("distance", "direction"):
        assert torch.allclose(snapped(tiny, 1.001 * start, by), start)


@pytest.fixture(scope="module")
def tokens(tiny):
    """Two contents that are token embeddings."""
    return token_rows(tiny, 16, torch.Generator().manual_seed(1)).view(2, 8, -1)


def test_contents_of_tokens_lie_on_them(tiny, tokens):
    near = nearest_tokens(tiny, tokens.flatten(0, 1))
    reference = nearest_of_tokens(tiny, sample=200)
    assert (near.distance == 0).all() and torch.allclose(near.cosine, torch.ones(16))
    assert (rank_among_tokens(near.distance.numpy(), reference.distance) == 0).all()
    assert (rank_among_tokens(-near.cosine.numpy(), -reference.cosine) == 0).all()
    for by in ("distance", "direction"):
        assert torch.allclose(snapped(tiny, tokens, by), tokens)
    table = slot_geometry(tiny, tokens, tokens)
    assert (table["distance"] == 0).all() and (table["travel"] == 0).all()
    assert table[["cosine", "norm_over_start", "cosine_with_start"]].to_numpy() == pytest.approx(1)


def test_ranks_count_the_tokens_that_lie_closer():
    by_distance = rank_among_tokens(np.array([0.5, 1.0, 2.5, 9.0]), torch.tensor([4.0, 1, 3, 2]))
    assert by_distance.tolist() == [0, 0, 0.5, 1]
    by_cosine = rank_among_tokens(-np.array([0.95, 0.75, 0.5, 0.0]), -torch.tensor([0.25, 0.75, 0.5, 0.5]))
    assert by_cosine.tolist() == [0, 0, 0.25, 1]


def test_tokens_rank_evenly_among_themselves(tiny):
    """What lies as tokens do has ranks spread from 0 to 1, one half in the mean."""
    reference = nearest_of_tokens(tiny, sample=400)
    for values in (reference.distance, -reference.cosine):
        ranks = rank_among_tokens(values.numpy(), values)
        assert ranks.mean() == pytest.approx(0.5, abs=0.01)
        assert ranks.min() == 0 and ranks.max() == pytest.approx(399 / 400, abs=0.01)


def test_nulls_keep_lengths_and_lose_directions():
    random = torch.Generator().manual_seed(0)
    start, step = torch.randn(3, 8, 500, generator=random), torch.randn(3, 8, 500, generator=random)
    step = step * torch.arange(8.0)[:, None]  # slots of different travel; the first has none
    elsewhere = random_travel(start, start + step, "pair", 0)
    assert torch.allclose((elsewhere - start).norm(dim=2), step.norm(dim=2), rtol=1e-4)
    assert torch.equal(elsewhere[:, 0], start[:, 0])
    assert torch.allclose(elsewhere.norm(dim=2), (start + step).norm(dim=2), rtol=1e-4), "and the norm of the end"
    assert torch.allclose((elsewhere * start).sum(2), ((start + step) * start).sum(2), rtol=1e-3, atol=1e-2)
    cosines = torch.nn.functional.cosine_similarity((elsewhere - start)[:, 1:], step[:, 1:], dim=2)
    assert cosines.abs().max() < 5 / 500**0.5 and cosines.mean().abs() < 0.03
    assert torch.equal(elsewhere, random_travel(start, start + step, "pair", 0))
    assert not torch.equal(elsewhere, random_travel(start, start + step, "pair", 1))
    other = turned(start, "pair", 0)
    assert torch.allclose(other.norm(dim=2), start.norm(dim=2), rtol=1e-5)
    cosines = torch.nn.functional.cosine_similarity(other, start, dim=2)
    assert cosines.abs().max() < 5 / 500**0.5, "each slot has a direction of its own"
    shared = torch.nn.functional.cosine_similarity(elsewhere[:, 1:] - start[:, 1:], other[:, 1:], dim=2)
    assert shared.abs().max() < 5 / 500**0.5, "the two nulls of one seed have nothing in common"
    directions = torch.nn.functional.normalize(other.flatten(0, 1), dim=1)
    assert (directions @ directions.T - torch.eye(24)).abs().max() < 5 / 500**0.5


def test_slots_are_measured_one_by_one(tiny, tokens):
    """A slot twice as long as its token, and one turned by a right angle with its length kept."""
    contents = tokens.clone()
    contents[0, 2] *= 2
    across = torch.zeros_like(tokens[1, 5])
    across[0], across[1] = tokens[1, 5, 1], -tokens[1, 5, 0]
    contents[1, 5] = across * tokens[1, 5].norm() / across.norm()
    table = slot_geometry(tiny, contents, tokens)
    assert list(zip(table["content"], table["slot"], strict=True)) == [(b, k + 1) for b in range(2) for k in range(8)]
    indexed = table.set_index(["content", "slot"])
    longer, norm = indexed.loc[0, 3], tokens[0, 2].norm().item()
    assert longer["norm_over_start"] == pytest.approx(2) and longer["norm"] == pytest.approx(2 * norm)
    assert longer["travel"] == pytest.approx(norm)
    assert longer["cosine_with_start"] == pytest.approx(1) and longer["cosine"] == pytest.approx(1)
    apart = nearest_tokens(tiny, contents[0, 2:3], apart_from=nearest_tokens(tiny, tokens[0, 2:3]).token)
    assert longer["other_distance"] == pytest.approx(apart.distance.item()) and longer["other_cosine"] < 0.99
    assert longer["at_start"] and not indexed.loc[1, 6]["at_start"]
    turned_slot, norm = indexed.loc[1, 6], tokens[1, 5].norm().item()
    assert turned_slot["norm_over_start"] == pytest.approx(1) and turned_slot["cosine_with_start"] == pytest.approx(
        0, abs=1e-6
    )
    assert turned_slot["travel"] == pytest.approx(2**0.5 * norm)
    near = nearest_tokens(tiny, contents[1, 5:6])
    assert turned_slot["distance"] == pytest.approx(near.distance.item())
    assert turned_slot["cosine"] == pytest.approx(near.cosine.item())
    assert (indexed.drop([(0, 3), (1, 6)])["travel"] == 0).all()
