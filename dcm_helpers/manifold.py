"""How contents lie to the Generator's token embeddings (the manifold that pretraining has filled)."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import torch
from torch.nn import functional as F

from dcm_helpers.models import Generator
from dcm_helpers.shapes import Contents, Float, Int, Tensor
from dcm_helpers.stm import seeded

TOKENS_AT_ONCE = 8192
"""Vocabulary rows that are compared at once: distances to a whole vocabulary of 150 000 would not fit."""


@dataclass(frozen=True)
class Nearest:
    """The nearest ordinary token of each vector, once by distance and once by direction."""

    distance: Float[Tensor, " N"]
    """Euclidean distance to the nearest token embedding."""
    token: Int[Tensor, " N"]
    """Its id."""
    cosine: Float[Tensor, " N"]
    """Largest cosine with any token embedding."""
    cosine_token: Int[Tensor, " N"]
    """The id of that token."""
    norm: Float[Tensor, " N"]
    """The vector's own norm, in the units of the embedding space."""

    def table(self) -> pd.DataFrame:
        """The numbers as columns distance, cosine, norm."""
        return pd.DataFrame({name: getattr(self, name).cpu().numpy() for name in ("distance", "cosine", "norm")})


def ordinary_tokens(generator: Generator) -> Int[Tensor, " W"]:
    """Ids of all tokens but the special ones."""
    size, special = generator.ordinary_ids
    return torch.tensor([token for token in range(size) if token not in special])


@torch.no_grad()
def nearest_tokens(
    generator: Generator, vectors: Float[Tensor, "N D"], apart_from: Int[Tensor, " N"] | None = None
) -> Nearest:
    """The nearest token of each vector among all ordinary tokens.

    Args:     apart_from  a token that each vector must not be compared with: itself, when tokens are compared with
              tokens
    """
    vectors = vectors.to(generator.device, torch.float32)
    norm = vectors.norm(dim=1)
    least, most = vectors.new_full((len(vectors),), torch.inf), vectors.new_full((len(vectors),), -torch.inf)
    token = torch.zeros(len(vectors), dtype=torch.long, device=vectors.device)
    cosine_token = token.clone()
    for ids in ordinary_tokens(generator).to(vectors.device).split(TOKENS_AT_ONCE):
        rows = generator.embed(ids).float()
        products, row_norms = vectors @ rows.T, rows.norm(dim=1)
        squares = row_norms**2 - 2 * products  # up to the vector's own square
        cosines = products / row_norms.clamp(min=torch.finfo(torch.float32).tiny)
        if apart_from is not None:
            itself = apart_from.to(vectors.device)[:, None] == ids
            squares, cosines = squares.masked_fill(itself, torch.inf), cosines.masked_fill(itself, -torch.inf)
        closest, place = squares.min(1)
        token = torch.where(closest < least, ids[place], token)
        least = torch.minimum(closest, least)
        straightest, place = cosines.max(1)
        cosine_token = torch.where(straightest > most, ids[place], cosine_token)
        most = torch.maximum(straightest, most)
    # the expanded square loses small distances to rounding, so the chosen ones are taken directly
    distance = (vectors - generator.embed(token).float()).norm(dim=1)
    cosine = F.cosine_similarity(vectors, generator.embed(cosine_token).float(), dim=1)
    return Nearest(distance, token, cosine, cosine_token, norm)


def nearest_of_tokens(generator: Generator, sample: int, seed: int = 0) -> Nearest:
    """The nearest other token of some random tokens: how far apart tokens themselves lie."""
    ids = ordinary_tokens(generator)
    ids = ids[torch.randperm(len(ids), generator=seeded("token sample", seed))[:sample]]
    return nearest_tokens(generator, generator.embed(ids), apart_from=ids)


def snapped(generator: Generator, contents: Contents, by: Literal["distance", "direction"]) -> Contents:
    """The contents with every slot replaced by the embedding of its nearest token, by distance or by direction."""
    near = nearest_tokens(generator, contents.flatten(0, 1))
    tokens = near.token if by == "distance" else near.cosine_token
    return generator.embed(tokens).view(contents.shape).to(contents.dtype)
