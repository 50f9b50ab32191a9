"""Problems made of question-answer pairs: the single-target diagnostic and the joint question-answer problem."""

from collections.abc import Sequence
from dataclasses import replace

from dcm_helpers.config import require
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


def restarts_of(problem: Problem, count: int) -> list[Problem]:
    """The same problem several times, each with a start of its own."""
    return [replace(problem, id=f"{problem.id}/restart {index + 1}") for index in range(count)]


def mismatched(problems: Sequence[Problem]) -> list[Problem]:
    """Every problem with the answer of the next one: the same texts in all, and the same starts, since ids are kept.

    Raises:   InputError for fewer than two problems, which have nothing to exchange
    """
    require(len(problems) > 1, "mismatching needs at least 2 pairs, whose answers can be exchanged")
    following = [*problems[1:], problems[0]]
    return [replace(one, views=(one.views[0], other.views[1])) for one, other in zip(problems, following, strict=True)]


def with_modes(generator: Generator, problem: Problem, modes: Sequence[str | None]) -> Problem:
    """The problem with other modes for its views, one each; None asks without any."""
    views = [
        replace(view, mode=mode, mode_ids=(generator.mode_id(mode),) if mode is not None else ())
        for view, mode in zip(problem.views, modes, strict=True)
    ]
    return replace(problem, views=tuple(views))
