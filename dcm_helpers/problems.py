"""Problems made of question-answer pairs: the single-target diagnostic and the joint question-answer problem."""

from collections.abc import Sequence
from dataclasses import replace

from dcm_helpers.config import require
from dcm_helpers.datasets import Pair
from dcm_helpers.models import Generator
from dcm_helpers.stm import Problem, View, random_ids, seeded


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


def views_apart(problem: Problem) -> list[Problem]:
    """Each view as a problem of its own."""
    return [replace(problem, id=f"{problem.id}/{view.name}", views=(view,)) for view in problem.views]


def with_random_answer(generator: Generator, problem: Problem) -> Problem:
    """The problem with its answer replaced by as many random tokens, then EOS; drawn from the problem's id."""
    question, answer = problem.views
    drawn = random_ids(generator, len(answer.target_ids) - 1, seeded("random answer", problem.id))
    target = (*drawn, generator.eos_id)
    return replace(problem, views=(question, replace(answer, target_text=generator.text(target), target_ids=target)))


def of_class(generator: Generator, pair: Pair, modes: tuple[str, str]) -> Problem:
    """One content for several phrasings of a pair, of which the last question and the last answer are held out.

    Greedy decoding can write only one of them from one mode, so such a problem is judged by likelihood alone.
    """
    questions, answers = (pair.question, *pair.question_paraphrases[:-1]), (pair.answer, *pair.answer_paraphrases[:-1])
    return Problem(
        f"{pair.id}/joint",
        tuple(
            View.of(generator, text, mode)
            for mode, texts in zip(modes, (questions, answers), strict=True)
            for text in texts
        ),
        pair.id,
    )


def rephrased(generator: Generator, pair: Pair, modes: tuple[str, str]) -> Problem:
    """The pair's first paraphrase of the question with its answer, from a start of its own."""
    (problem,) = joint_problems(generator, [replace(pair, question=pair.question_paraphrases[0])], modes)
    return replace(problem, id=f"{pair.id}/rephrased")
