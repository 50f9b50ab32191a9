"""Problems made of question-answer pairs: the single-target diagnostic and the joint question-answer problem."""

from collections.abc import Sequence

from dcm_helpers.datasets import Pair
from dcm_helpers.models import Generator
from dcm_helpers.stm import Problem, View


def single_problems(generator: Generator, pairs: Sequence[Pair]) -> list[Problem]:
    """Two problems a pair, the question alone and the answer alone, without a mode."""
    return [
        Problem(f"{pair.id}/{kind}", (View.of(generator, text),), pair.id)
        for pair in pairs
        for kind, text in (("question", pair.question), ("answer", pair.answer))
    ]


def joint_problems(generator: Generator, pairs: Sequence[Pair], modes: tuple[str, str]) -> list[Problem]:
    """One problem a pair: question and answer from one content, each asked for by its mode."""
    return [
        Problem(
            f"{pair.id}/joint",
            (View.of(generator, pair.question, modes[0]), View.of(generator, pair.answer, modes[1])),
            pair.id,
        )
        for pair in pairs
    ]
