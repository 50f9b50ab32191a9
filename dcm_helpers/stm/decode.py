"""The project's only decoder: greedy, batched, with a key-value cache, no penalties, one EOS."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents, Embeddings, Float, Int, Tensor
from dcm_helpers.stm.layout import EXTRA_TOKENS, Layout, Row, for_each_row, lay_out, view_rows
from dcm_helpers.stm.problem import Problem


@dataclass(frozen=True)
class Decoded:
    """What greedy decoding wrote after one prefix."""

    ids: tuple[int, ...]
    """New token ids, up to and including EOS where it came in time."""
    probabilities: tuple[float, ...]
    """Probability of each of these tokens, given all before it."""


@torch.no_grad()
def greedy_decode(
    generator: Generator,
    rows: Sequence[Row],
    contents: Contents | None,
    K: int,
    follow: Callable[[dict[int, Decoded]], None] | None = None,
) -> list[Decoded]:
    """Continue each row's prefix greedily, as the Generator's own ``generate`` would without sampling.

    Args:     rows  what each row reads; its target only sets how far decoding may run (T + 8 tokens);  follow  is told
              after every token what the rows that are being decoded have come to, by number
    """
    limits = [len(row.target_ids) + EXTRA_TOKENS for row in rows]
    prefixes = [dataclasses.replace(row, target_ids=()) for row in rows]

    def decode_group(group: list[int]) -> list[tuple[list[int], list[float]]]:
        layout = lay_out(generator, [prefixes[index] for index in group], K)
        longest = max(limits[index] for index in group)

        def tell(tokens: list[Tensor], probabilities: list[Tensor]) -> None:
            written = zip(torch.stack(tokens, 1).tolist(), torch.stack(probabilities, 1).tolist(), strict=True)
            follow({index: ended(index, *so_far) for index, so_far in zip(group, written, strict=True)})

        listener = tell if follow is not None else None
        tokens, probabilities = continue_greedily(generator, layout.embeddings(contents), layout, longest, listener)
        return list(zip(tokens.tolist(), probabilities.tolist(), strict=True))

    def ended(index: int, tokens: list[int], probabilities: list[float]) -> Decoded:
        kept = tokens[: limits[index]]
        end = kept.index(generator.eos_id) + 1 if generator.eos_id in kept else len(kept)
        return Decoded(tuple(kept[:end]), tuple(probabilities[:end]))

    return [ended(index, *written) for index, written in enumerate(for_each_row(prefixes, K, decode_group))]


def decode_problems(
    generator: Generator, problems: Sequence[Problem], contents: Contents
) -> list[list[tuple[int, ...]]]:
    """What greedy decoding writes, per problem and view, from one content each."""
    decoded = iter(greedy_decode(generator, view_rows(generator, problems), contents, contents.shape[1]))
    return [[next(decoded).ids for _ in problem.views] for problem in problems]


def continue_greedily(
    generator: Generator,
    embeddings: Embeddings,
    layout: Layout,
    steps: int,
    tell: Callable[[list[Tensor], list[Tensor]], None] | None = None,
) -> tuple[Int[Tensor, "N T"], Float[Tensor, "N T"]]:
    """Most probable next tokens and their probabilities, at most ``steps``; stops once every row has produced EOS.

    Args:     tell  is handed both, token by token, after each
    """
    mask, positions = layout.attention_mask, layout.position_ids[:, -1:]
    inputs = {"inputs_embeds": embeddings, "position_ids": layout.position_ids}
    cache, tokens, probabilities = None, [], []
    ended = torch.zeros(len(mask), dtype=torch.bool, device=mask.device)
    for _ in range(steps):
        with generator.head_reads(lambda states: states[:, -1]):
            told = {"attention_mask": mask} if cache is None or generator.masks_cached else {}
            output = generator.model(**inputs, **told, cache=cache, use_cache=True)
        cache = output.cache
        logits = output.logits.to(mask.device, torch.promote_types(torch.float32, output.logits.dtype))
        tokens.append(logits.argmax(-1))  # of equal logits the one that ``generate`` takes
        chosen = logits.gather(-1, tokens[-1][:, None])[:, 0]
        probabilities.append((chosen - logits.logsumexp(-1)).exp())
        ended |= tokens[-1] == generator.eos_id
        if tell is not None:
            tell(tokens, probabilities)
        if ended.all():
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        # a row that has run past its own limit goes on with the others, but never out of the window
        positions = (positions + 1).clamp(max=generator.window - 1)
        inputs = {"input_ids": tokens[-1][:, None], "position_ids": positions}
    return torch.stack(tokens, dim=1), torch.stack(probabilities, dim=1)
