"""How well texts are written from contents, or after prompts.

Everything is judged by the project's decoder: exact is what `generate` would write, EOS included.
"""

from collections.abc import Sequence

import pandas as pd

from dcm_helpers.diffuser import Example
from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Row, View, exact_match, f1, greedy_decode, score_rows, view_rows

FEW = 6
"""Topics from which on intervals are over topics; with fewer they are over pairs, and say nothing of other topics."""


def written_from(generator: Generator, examples: Sequence[Example], contents: Contents) -> pd.DataFrame:
    """What is written from one content for each example.

    Returns:  one row a view: problem, kind, ``nats`` per target token, ``exact``, ``match`` and ``f1`` (SQuAD's), text
    """
    problems = [each.problem for each in examples]
    views = [(problem.id, view) for problem in problems for view in problem.views]
    return judged(generator, views, view_rows(generator, problems), contents.to(generator.device))


def written_after(
    generator: Generator, asked: Sequence[tuple[str, View, tuple[int, ...]]], content: Contents | None = None
) -> pd.DataFrame:
    """What is written after prompts of text, each with the view that it asks for, or after one content and a text.

    Args:     asked  of each: the problem's id, the view, and the prompt's token ids;  content  (1, K, D), read before
              each prompt, as a task-level prompt is
    Returns:  as :func:`written_from`
    """
    head = generator.bos_ids if content is not None else ()
    rows = [
        Row(head, 0, ids, view.target_ids) if content is not None else Row(ids, None, (), view.target_ids)
        for _, view, ids in asked
    ]
    return judged(generator, [(name, view) for name, view, _ in asked], rows, content)


def judged(
    generator: Generator, views: Sequence[tuple[str, View]], rows: Sequence[Row], contents: Contents | None
) -> pd.DataFrame:
    """Score and decode rows, each beside the view that it should write."""
    K = 0 if contents is None else contents.shape[1]
    scores, decoded = score_rows(generator, rows, contents, K), greedy_decode(generator, rows, contents, K)
    found = []
    for (problem, view), score, written in zip(views, scores, decoded, strict=True):
        text = generator.text(written.ids)
        found.append(
            {
                "problem": problem,
                "kind": view.kind,
                "nats": score["loss"],
                "exact": view.is_written(written.ids),
                "match": exact_match(text, view.target_text),
                "f1": f1(text, view.target_text),
                "text": text,
            }
        )
    return pd.DataFrame(found)
