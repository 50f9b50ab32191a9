"""The Generator's vocabulary: tokens drawn at random, the tokens nearest to a vector, a token's text made visible."""

from dataclasses import dataclass

import pandas as pd
import torch
from torch.nn import functional as F

from dcm_helpers.generator.frozen import Generator
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Float, Int, Tensor


def random_ids(generator: Generator, count: int, random: torch.Generator) -> list[int]:
    """Random token ids, special ones left out."""
    size, special = generator.ordinary_ids
    ids: list[int] = []
    while len(ids) < count:  # drawn again, rather than from a list of allowed ids: the vocabulary can be large
        drawn = torch.randint(size, (count - len(ids),), generator=random).tolist()
        ids += [token for token in drawn if token not in special]
    return ids


def token_rows(generator: Generator, count: int, random: torch.Generator) -> Float[Tensor, "count D"]:
    """Embeddings of random tokens, special ones left out, in the precision that contents are kept in."""
    return generator.embed(torch.tensor(random_ids(generator, count, random))).to(generator.content_dtype)


def embedding_moments(generator: Generator) -> tuple[float, float]:
    """Mean and standard deviation of the coordinates of token embeddings, estimated on 4096 tokens."""
    rows = token_rows(generator, 4096, seeded("embedding moments")).cpu().double()
    return rows.mean().item(), rows.std().item()


def token_text(generator: Generator, token: int) -> str:
    """A token's text, with EOS, spaces and line ends made visible."""
    if token == generator.eos_id:
        return "⏎"
    text = generator.tokenizer.decode([token], clean_up_tokenization_spaces=False)
    return text.replace(" ", "␣").replace("\n", "↵")


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
