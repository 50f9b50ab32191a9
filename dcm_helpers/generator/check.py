"""What the project relies on of a Generator, tried on a few tokens when one is loaded.

Families differ: some have no cache, some read padding, some have tokens without embeddings. Trying costs some short
forward passes and needs no list of families.
"""

import itertools
from dataclasses import replace

import torch

from dcm_helpers.errors import InputError, require
from dcm_helpers.generator.frozen import Generator
from dcm_helpers.shapes import Logits, TokenIds

TOKENS, CACHED, PADDING = 7, 4, 3
SAMPLE = "The largest planet in the solar system is Jupiter."
TOLERANCE = {torch.float64: 0.01, torch.float32: 0.01, torch.bfloat16: 0.25, torch.float16: 0.25}
"""Largest difference, as a share of how much logits vary; reading wrong positions changes them by about 1."""


@torch.no_grad()
def checked(generator: Generator) -> Generator:
    """The Generator, after trying what runs rely on: embeddings in place of tokens, harmless padding, a cache.

    Raises:   InputError in one line that says what the Generator lacks
    """
    embeddings, head = generator.model.get_input_embeddings(), generator.model.get_output_embeddings()
    require(embeddings is not None and head is not None, f"{generator.name} has no output head; it cannot write text")
    require(
        generator.eos_id < generator.rows,
        f"{generator.name} ends a text with token {generator.eos_id}, and has embeddings for {generator.rows}; its "
        "tokenizer belongs to another model",
    )
    readings = {generator.text_ids(SAMPLE) for _ in range(8)}
    require(
        len(readings) == 1,
        f"the tokenizer of {generator.name} reads a text differently each time (dropout); targets could not be kept",
    )
    size, special = generator.ordinary_ids
    ordinary = list(itertools.islice((token for token in range(size) if token not in special), TOKENS))
    ids = torch.tensor([ordinary], device=generator.device)
    whole = tried(generator, "read tokens", input_ids=ids)
    require(
        bool(whole.isfinite().all()),
        f"{generator.name} computes logits that are no numbers in {str(generator.dtype).removeprefix('torch.')}; its "
        "weights are damaged, or it needs another --dtype",
    )
    embedded = tried(generator, "read embeddings in place of tokens", inputs_embeds=generator.embed(ids))
    require(alike(embedded, whole), f"{generator.name} reads embeddings differently from the tokens they belong to")
    padded = tried(generator, "read padded rows", **padded_row(generator, ids))
    require(
        alike(padded, whole),
        f"{generator.name} is changed by padding before a row; rows of different lengths cannot be computed together",
    )
    if alike(continued(generator, ids), whole[:, -1:]):
        return generator
    recurrent = replace(generator, masks_cached=False)
    require(
        alike(continued(recurrent, ids), whole[:, -1:]),
        f"{generator.name} does not go on from its cache as from the whole row, so it cannot be decoded",
    )
    return recurrent


def padded_row(generator: Generator, ids: TokenIds) -> dict[str, torch.Tensor]:
    """A row of embeddings with padding before it, as the layout has it."""
    vectors = generator.embed(ids)
    padding = vectors.new_zeros(1, PADDING, vectors.shape[2])
    mask = torch.cat([ids.new_zeros(1, PADDING), torch.ones_like(ids)], 1)
    return {
        "inputs_embeds": torch.cat([padding, vectors], 1),
        "attention_mask": mask,
        "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
    }


def continued(generator: Generator, ids: TokenIds) -> Logits:
    """Logits after the last token, the last ones read one by one after a cache of a padded row, as the decoder does."""
    row = padded_row(generator, ids[:, :CACHED])
    mask, position = row["attention_mask"], row["position_ids"][:, -1:]
    try:
        output = generator.model(**row, use_cache=True)
        for token in ids[:, CACHED:].split(1, dim=1):
            cache = getattr(output, "cache", None)
            require(cache is not None, f"{generator.name} keeps no cache of what it has read, so it cannot be decoded")
            mask, position = torch.cat([mask, torch.ones_like(token)], 1), position + 1
            told = {"attention_mask": mask} if generator.masks_cached else {}
            output = generator.model(input_ids=token, position_ids=position, cache=cache, use_cache=True, **told)
        return output.logits[:, -1:]
    except UNFIT as error:
        raise failure(generator, "go on from its cache", error) from error


def tried(generator: Generator, what: str, **inputs: torch.Tensor) -> Logits:
    """Logits of the last positions."""
    try:
        return generator.model(**inputs, use_cache=False, logits_to_keep=TOKENS).logits[:, -TOKENS:]
    except UNFIT as error:
        raise failure(generator, what, error) from error


UNFIT = (TypeError, AttributeError, LookupError, ValueError, RuntimeError, NotImplementedError, AssertionError)
"""What models raise that were not made for what is asked of them."""


def failure(generator: Generator, what: str, error: Exception) -> InputError:
    """An error of a forward pass as one line; what is one already stays as it is."""
    if isinstance(error, InputError):
        return error
    reason = (str(error).strip().splitlines() or [""])[0]
    return InputError(f"{generator.name} cannot {what}, which is needed here ({type(error).__name__}: {reason})")


def alike(some: Logits, other: Logits) -> bool:
    """Whether logits agree up to the rounding of their precision."""
    tolerance = TOLERANCE[other.dtype]
    some, other = some.double(), other.double()
    spread = (other - other.mean(-1, keepdim=True)).norm()
    return bool((some - other).norm() <= tolerance * spread)
