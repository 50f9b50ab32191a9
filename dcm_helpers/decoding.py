"""The project's only decoder: greedy, batched, with a key-value cache, no penalties, one EOS."""

import dataclasses
from collections.abc import Sequence

import torch

from dcm_helpers.losses import each_group, groups_by_length
from dcm_helpers.models import Generator
from dcm_helpers.shapes import Contents, Embeddings, Int, Tensor
from dcm_helpers.stm import EXTRA_TOKENS, Layout, Problem, Row, lay_out, view_rows


@torch.no_grad()
def greedy_decode(
    generator: Generator, rows: Sequence[Row], contents: Contents | None, K: int
) -> list[tuple[int, ...]]:
    """Continue each row's prefix greedily, as the Generator's own ``generate`` would without sampling.

    Args:     rows  what each row reads; its target only sets how far decoding may run (T + 8 tokens)
    Returns:  new token ids per row, up to and including EOS where it came in time
    """
    limits = [len(row.target_ids) + EXTRA_TOKENS for row in rows]
    prefixes = [dataclasses.replace(row, target_ids=()) for row in rows]
    decoded: dict[int, tuple[int, ...]] = {}

    def decode_group(group: list[int]) -> list[list[int]]:
        layout = lay_out(generator, [prefixes[index] for index in group], K)
        longest = max(limits[index] for index in group)
        return continue_greedily(generator, layout.embeddings(contents), layout, longest).tolist()

    with torch.compiler.set_stance("force_eager"):
        for group, tokens in each_group(groups_by_length(prefixes, K), decode_group):
            for index, row_tokens in zip(group, tokens, strict=True):
                kept = row_tokens[: limits[index]]
                end = kept.index(generator.eos_id) + 1 if generator.eos_id in kept else len(kept)
                decoded[index] = tuple(kept[:end])
    return [decoded[index] for index in range(len(rows))]


def decode_problems(
    generator: Generator, problems: Sequence[Problem], contents: Contents
) -> list[list[tuple[int, ...]]]:
    """What greedy decoding writes, per problem and view, from one content each."""
    decoded = iter(greedy_decode(generator, view_rows(generator, problems), contents, contents.shape[1]))
    return [[next(decoded) for _ in problem.views] for problem in problems]


def continue_greedily(generator: Generator, embeddings: Embeddings, layout: Layout, steps: int) -> Int[Tensor, "N S"]:
    """Most probable next tokens, (N, at most ``steps``); stops once every row has produced EOS."""
    mask, positions = layout.attention_mask, layout.position_ids[:, -1:]
    inputs = {"inputs_embeds": embeddings, "position_ids": layout.position_ids}
    cache, tokens = None, []
    ended = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    for _ in range(steps):
        with generator.head_reads(lambda states: states[:, -1]):
            output = generator.model(**inputs, attention_mask=mask, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        tokens.append(output.logits.argmax(-1).to(mask.device))
        ended |= tokens[-1] == generator.eos_id
        if ended.all():
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        # a row that has run past its own limit goes on with the others, but never out of the window
        positions = (positions + 1).clamp(max=generator.window - 1)
        inputs = {"input_ids": tokens[-1][:, None], "position_ids": positions}
    return torch.stack(tokens, dim=1)
