"""Whether the mode decides what is written from a content: the same contents, asked for with other modes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Problem, decode_problems, with_modes


def written_with_modes(
    generator: Generator,
    problems: Sequence[Problem],
    contents: Contents,
    changes: Mapping[str, Sequence[str | None]],
) -> pd.DataFrame:
    """What greedy decoding writes from joint contents when other modes ask.

    Every decode may run 8 tokens past the longest of the problem's targets, so that each of them could be written. A
    mode that another view has is no change worth asking for: that is the other view's own STM.

    Args:     contents  one for each problem;  changes  by name, the mode word for each view in order, or None for none
    Returns:  one row for each problem, change and view: columns pair, modes (name of the change), view (whose place),
              wrote ('own', 'other' for another view's text, 'neither')
    """
    rows = []
    for name, words in changes.items():
        asked = [with_modes(generator, as_long(problem), words) for problem in problems]
        for problem, written in zip(problems, decode_problems(generator, asked, contents), strict=True):
            targets = [view.target_ids for view in problem.views]
            for index, (view, ids) in enumerate(zip(problem.views, written, strict=True)):
                others = targets[:index] + targets[index + 1 :]
                wrote = "own" if ids == targets[index] else "other" if ids in others else "neither"
                rows.append({"pair": problem.pair, "modes": name, "view": view.name, "wrote": wrote})
    return pd.DataFrame(rows)


def as_long(problem: Problem) -> Problem:
    """The problem with its longest target in every view: a decode then runs far enough for all that it is judged by."""
    longest = max((view.target_ids for view in problem.views), key=len)
    return replace(problem, views=tuple(replace(view, target_ids=longest) for view in problem.views))
