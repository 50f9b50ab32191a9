"""What is written from contents: token by token, whether it is the targets, under other batches and decoders, too."""

import dataclasses
from collections.abc import Sequence

import pandas as pd
import torch

from dcm_helpers.generator import Generator, token_text
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stm import (
    EXTRA_TOKENS,
    Problem,
    decode_problems,
    for_each_row,
    greedy_decode,
    lay_out,
    margins,
    target_logits,
    view_rows,
)


def reconstructed_from(generator: Generator, problems: Sequence[Problem], contents: Contents) -> list[bool]:
    """Whether greedy decoding writes every view's target, from some contents, one for each problem."""
    decoded = decode_problems(generator, problems, contents)
    return [
        all(view.is_written(ids) for view, ids in zip(problem.views, written, strict=True))
        for problem, written in zip(problems, decoded, strict=True)
    ]


def written_tokens(generator: Generator, problem: Problem, content: Content) -> pd.DataFrame:
    """What greedy decoding writes from one content, token by token.

    Returns:  columns view, position (from 1), token (its text), probability
    """
    contents = content[None].to(generator.device)
    decoded = greedy_decode(generator, view_rows(generator, [problem]), contents, K=len(content))
    return pd.DataFrame(
        [
            (view.name, position, token_text(generator, token), probability)
            for view, written in zip(problem.views, decoded, strict=True)
            for position, (token, probability) in enumerate(
                zip(written.ids, written.probabilities, strict=True), start=1
            )
        ],
        columns=["view", "position", "token", "probability"],
    )


def exact_in_batches(generator: Generator, problems: Sequence[Problem], contents: Contents, size: int) -> list[bool]:
    """Whether greedy decoding writes every target, with the views of so many problems in a batch."""
    found = []
    for first in range(0, len(problems), size):
        found += reconstructed_from(generator, problems[first : first + size], contents[first : first + size])
    return found


@torch.no_grad()
def exact_by_generate(generator: Generator, problems: Sequence[Problem], contents: Contents, size: int) -> list[bool]:
    """Whether Hugging Face's own ``generate`` writes every target, with so many rows in a left-padded batch."""
    rows, K = view_rows(generator, problems), contents.shape[1]
    right = []
    for first in range(0, len(rows), size):
        batch = rows[first : first + size]
        layout = lay_out(generator, [dataclasses.replace(row, target_ids=()) for row in batch], K)
        written = generator.model.generate(
            inputs_embeds=layout.embeddings(contents),
            attention_mask=layout.attention_mask,
            max_new_tokens=max(len(row.target_ids) for row in batch) + EXTRA_TOKENS,
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            eos_token_id=generator.eos_id,
            pad_token_id=generator.eos_id,
        ).tolist()
        right += [tuple(ids[: len(row.target_ids)]) == row.target_ids for ids, row in zip(written, batch, strict=True)]
    flags = iter(right)
    return [all([next(flags) for _ in problem.views]) for problem in problems]


@torch.no_grad()
def smallest_margins(generator: Generator, problems: Sequence[Problem], contents: Contents) -> list[float]:
    """For each problem the smallest margin among its targets' tokens: its logit minus the largest other, in logits.

    Above 0 exactly where the content is teacher-forced exact; how much tells what it takes to break it.
    """
    rows, K = view_rows(generator, problems), contents.shape[1]

    def of_group(group: list[int]) -> list[float]:
        layout = lay_out(generator, [rows[index] for index in group], K)
        margin = margins(target_logits(generator, layout, contents).float(), layout.targets)
        least = margin.new_full((len(group),), torch.inf)
        return least.scatter_reduce(0, layout.target_rows, margin, "amin").tolist()

    of_views = iter(for_each_row(rows, K, of_group))
    return [min([next(of_views) for _ in problem.views]) for problem in problems]
