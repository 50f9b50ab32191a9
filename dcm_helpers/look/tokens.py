"""How contents lie to the Generator's token embeddings (the manifold that pretraining has filled)."""

from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from dcm_helpers.generator import Generator, nearest_tokens
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Float, Tensor

AT_A_TOKEN = 1e-3
"""A vector lies at a token if it is nearer than this share of its norm; half precision rounds that much."""


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

    A slot that began at a token has that one nearest for most of its way, and the distance to it is how far it went.
    So distances are also taken to other tokens alone.

    Args:     starts  where each content's optimization began
    Returns:  one row per slot, lengths in embedding units: ``content`` (place in ``contents``, from 0), ``slot`` (from
              1); ``distance`` and ``cosine``, each to the token nearest by it; ``other_distance`` and ``other_cosine``,
              the same without the token that the slot began at, if it did; ``at_start``, whether that one is the
              nearest; ``norm``; ``norm_over_start``, the ratio to the start's; ``travel``, the distance from the start;
              ``cosine_with_start``
    """
    slots = contents.flatten(0, 1).to(generator.device, torch.float32)
    began = starts.flatten(0, 1).to(slots)
    near = nearest_tokens(generator, slots)
    first = nearest_tokens(generator, began)
    began_at = torch.where(first.distance < AT_A_TOKEN * first.norm, first.token, -1)
    others = nearest_tokens(generator, slots, apart_from=began_at)
    measured = {
        "other_distance": others.distance,
        "other_cosine": others.cosine,
        "at_start": near.token == began_at,
        "norm_over_start": slots.norm(dim=1) / began.norm(dim=1),
        "travel": (slots - began).norm(dim=1),
        "cosine_with_start": F.cosine_similarity(slots, began, dim=1),
    }
    places = pd.MultiIndex.from_product([range(contents.shape[0]), range(1, contents.shape[1] + 1)])
    table = near.table().assign(**{name: values.detach().cpu().numpy() for name, values in measured.items()})
    return places.to_frame(index=False, name=["content", "slot"]).join(table)
