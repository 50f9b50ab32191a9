"""How contents lie to the Generator's token embeddings (the manifold that pretraining has filled)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from dcm_helpers.models import Generator
from dcm_helpers.shapes import Contents, Float, Int, Tensor
from dcm_helpers.stm import seeded

TOKENS_AT_ONCE = 8192
"""Vocabulary rows that are compared at once: distances to a whole vocabulary of 150 000 would not fit."""
VECTORS_AT_ONCE = 1024
"""Vectors that are compared at once: together with the rows, tables of 32 MB, a few at a time."""


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
    ids = ordinary_tokens(generator).to(generator.device)
    vectors = vectors.to(generator.device, torch.float32)
    itself = torch.full((len(vectors),), -1) if apart_from is None else apart_from  # no token has the id -1
    parts = [
        _nearest_of_some(generator, ids, *part)
        for part in zip(vectors.split(VECTORS_AT_ONCE), itself.to(vectors.device).split(VECTORS_AT_ONCE), strict=True)
    ]
    return Nearest(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _nearest_of_some(
    generator: Generator, ordinary: Int[Tensor, " W"], vectors: Float[Tensor, "N D"], apart_from: Int[Tensor, " N"]
) -> tuple[Tensor, ...]:
    """The fields of :class:`Nearest`, in their order, for vectors few enough to be compared at once."""
    norm = vectors.norm(dim=1)
    least, most = vectors.new_full((len(vectors),), torch.inf), vectors.new_full((len(vectors),), -torch.inf)
    token = torch.zeros(len(vectors), dtype=torch.long, device=vectors.device)
    cosine_token = token.clone()
    for ids in ordinary.split(TOKENS_AT_ONCE):
        rows = generator.embed(ids).float()
        products, row_norms = vectors @ rows.T, rows.norm(dim=1)
        itself = apart_from[:, None] == ids
        squares = (row_norms**2 - 2 * products).masked_fill_(itself, torch.inf)  # up to the vector's own square
        closest, place = squares.min(1)
        token = torch.where(closest < least, ids[place], token)
        least = torch.minimum(closest, least)
        cosines = products / row_norms.clamp(min=torch.finfo(torch.float32).tiny)
        straightest, place = cosines.masked_fill_(itself, -torch.inf).max(1)
        cosine_token = torch.where(straightest > most, ids[place], cosine_token)
        most = torch.maximum(straightest, most)
    # the expanded square loses small distances to rounding, so the chosen ones are taken directly
    distance = (vectors - generator.embed(token).float()).norm(dim=1)
    cosine = F.cosine_similarity(vectors, generator.embed(cosine_token).float(), dim=1)
    return distance, token, cosine, cosine_token, norm


def nearest_of_tokens(generator: Generator, sample: int, seed: int = 0) -> Nearest:
    """The nearest other token of some random tokens: how far apart tokens themselves lie."""
    ids = ordinary_tokens(generator)
    ids = ids[torch.randperm(len(ids), generator=seeded("token sample", seed))[:sample]]
    return nearest_tokens(generator, generator.embed(ids), apart_from=ids)


def rank_among_tokens(values: Float[np.ndarray, " N"], reference: Float[Tensor, " tokens"]) -> Float[np.ndarray, " N"]:
    """How vectors lie to their nearest tokens, measured by how tokens lie to theirs: 0 nearer than all, 1 farther.

    Args:     values  distances to the nearest token;  reference  those of tokens to their nearest other tokens, as
              :func:`nearest_of_tokens` finds them. For cosines, pass both negated
    Returns:  for each value the share of tokens whose own is smaller
    """
    return np.searchsorted(reference.sort().values.cpu().numpy(), values) / len(reference)


def snapped(generator: Generator, contents: Contents, by: Literal["distance", "direction"]) -> Contents:
    """The contents with every slot replaced by the embedding of its nearest token, by distance or by direction."""
    near = nearest_tokens(generator, contents.flatten(0, 1))
    tokens = near.token if by == "distance" else near.cosine_token
    return generator.embed(tokens).view(contents.shape).to(contents.dtype)


def turned(contents: Float[Tensor, "... D"], *seed: object) -> Float[Tensor, "... D"]:
    """Every slot in a random direction, with the norm that it has.

    A null for what lies in directions, and the steps that loss surfaces and noise are drawn in.

    Source:   filter normalization of Li et al., Visualizing the Loss Landscape of Neural Nets (NeurIPS 2018), with
              slots in the place of filters
    """
    noise = torch.randn(contents.shape, generator=seeded("turned", *seed), dtype=torch.float64).to(contents)
    return noise * (contents.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True))


def random_travel(start: Contents, end: Contents, *seed: object) -> Contents:
    """A null for where optimization ends: every slot from its start as far as it went, in a random direction.

    It also keeps its norm and its angle with the start, so that a slot which is held at a norm has a null that is, too.
    """
    axis = F.normalize(start, dim=-1)

    def across(vectors: Contents) -> Contents:
        return vectors - (vectors * axis).sum(-1, keepdim=True) * axis

    step = end - start
    aside, random = across(step), F.normalize(across(turned(step, "travel", *seed)), dim=-1)
    return start + (step - aside) + random * aside.norm(dim=-1, keepdim=True)


def slot_geometry(generator: Generator, contents: Contents, starts: Contents) -> pd.DataFrame:
    """How each slot lies to the tokens and to where it began.

    Args:     starts  where each content's optimization began
    Returns:  one row per slot, lengths in embedding units: ``content`` (place in ``contents``, from 0), ``slot`` (from
              1); ``distance`` and ``cosine``, each to the token nearest by it; ``norm``; ``norm_over_start``, the
              ratio to the start's; ``travel``, the distance from the start; ``cosine_with_start``
    """
    slots = contents.flatten(0, 1).to(generator.device, torch.float32)
    began = starts.flatten(0, 1).to(slots)
    near = nearest_tokens(generator, slots).table()
    measured = {
        "norm_over_start": slots.norm(dim=1) / began.norm(dim=1),
        "travel": (slots - began).norm(dim=1),
        "cosine_with_start": F.cosine_similarity(slots, began, dim=1),
    }
    places = pd.MultiIndex.from_product([range(contents.shape[0]), range(1, contents.shape[1] + 1)])
    table = near.assign(**{name: values.detach().cpu().numpy() for name, values in measured.items()})
    return places.to_frame(index=False, name=["content", "slot"]).join(table)
