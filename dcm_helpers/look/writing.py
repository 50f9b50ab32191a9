"""What greedy decoding writes from contents: whether it is the targets, and token by token."""

from collections.abc import Sequence

import pandas as pd

from dcm_helpers.generator import Generator, token_text
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stm import Problem, decode_problems, greedy_decode, view_rows


def reconstructed_from(generator: Generator, problems: Sequence[Problem], contents: Contents) -> list[bool]:
    """Whether greedy decoding writes every view's target, from some contents, one for each problem."""
    decoded = decode_problems(generator, problems, contents)
    wanted = [[view.target_ids for view in problem.views] for problem in problems]
    return [ids == targets for ids, targets in zip(decoded, wanted, strict=True)]


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
