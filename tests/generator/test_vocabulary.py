"""Nearest tokens, of a small vocabulary by brute force and of a large one in pieces."""

import pytest
import torch
from stand_ins import vocabulary
from torch.utils._python_dispatch import TorchDispatchMode

from dcm_helpers.generator import nearest_of_tokens, nearest_tokens, token_rows
from dcm_helpers.generator.vocabulary import TOKENS_AT_ONCE


def test_nearest_tokens_equal_brute_force(tiny, monkeypatch):
    """In pieces of the vocabulary that do not divide it evenly."""
    monkeypatch.setattr("dcm_helpers.generator.vocabulary.TOKENS_AT_ONCE", 100)
    size, special = tiny.ordinary_ids
    ids = [token for token in range(size) if token not in special]
    table = tiny.embed(torch.tensor(ids)).double()
    vectors = torch.randn(20, tiny.width, generator=torch.Generator().manual_seed(0)) * table.std()
    near = nearest_tokens(tiny, vectors)
    distances = (vectors.double()[:, None] - table).norm(dim=2)
    assert near.distance.tolist() == pytest.approx(distances.min(1).values.tolist(), rel=1e-5)
    assert near.token.tolist() == [ids[place] for place in distances.argmin(1)]
    cosines = torch.nn.functional.cosine_similarity(vectors.double()[:, None], table, dim=2)
    assert near.cosine.tolist() == pytest.approx(cosines.max(1).values.tolist(), rel=1e-4)
    assert near.cosine_token.tolist() == [ids[place] for place in cosines.argmax(1)]


def test_tokens_are_compared_with_other_tokens(tiny):
    rows = token_rows(tiny, 16, torch.Generator().manual_seed(1))
    assert nearest_tokens(tiny, rows).distance.max() < 1e-5
    others = nearest_of_tokens(tiny, sample=16)
    assert others.distance.min() > 1e-3 and others.cosine.max() < 0.9999


class LargestTensor(TorchDispatchMode):
    """Remembers how many elements the largest tensor has that is computed meanwhile."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def test_large_tables_are_never_whole(monkeypatch):
    """Neither all tokens nor all vectors at once, in pieces that divide neither evenly, with the answers unchanged."""
    fake, table, asked = vocabulary(1000, 4, special=(3, 500))
    vectors = table[:170] + 0.01 * torch.randn(170, 4, generator=torch.Generator().manual_seed(1))
    apart = torch.arange(170)
    at_once = nearest_tokens(fake, vectors, apart)
    assert max(asked) == 998
    monkeypatch.setattr("dcm_helpers.generator.vocabulary.TOKENS_AT_ONCE", 90)
    monkeypatch.setattr("dcm_helpers.generator.vocabulary.VECTORS_AT_ONCE", 40)
    asked.clear()
    with LargestTensor() as largest:
        in_pieces = nearest_tokens(fake, vectors, apart)
    assert max(asked) == 90 and largest.elements == 40 * 90
    for name in ("distance", "token", "cosine", "cosine_token", "norm"):
        assert torch.allclose(getattr(in_pieces, name), getattr(at_once, name)), name
    distances = torch.cdist(vectors, table, compute_mode="donot_use_mm_for_euclid_dist")
    distances[:, [3, 500]] = torch.inf
    distances[apart, apart] = torch.inf
    assert in_pieces.token.tolist() == distances.argmin(1).tolist()


def test_a_vocabulary_of_150_000_is_asked_for_in_pieces():
    fake, _, asked = vocabulary(150_000, 2)
    with LargestTensor() as largest:
        nearest_tokens(fake, torch.zeros(1100, 2))
    assert max(asked) == TOKENS_AT_ONCE
    assert 4 * largest.elements <= 2**25, "32 MB in float32"
    assert 4 * TOKENS_AT_ONCE * 3584 <= 2**27, "the widest Generator's rows of one piece"
