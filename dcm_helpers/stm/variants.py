"""Problems made of other problems: restarts, mismatched texts, other modes, views apart, classes of paraphrases."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dcm_helpers.config import MODES, Kind
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator, random_ids
from dcm_helpers.pairs import Pair
from dcm_helpers.seeds import seeded
from dcm_helpers.stm.problem import Problem, View, joint_problems, problem_id


def restarts_of(problem: Problem, count: int) -> list[Problem]:
    """The same problem several times, each with a start of its own."""
    return [replace(problem, id=f"{problem.id}/restart {restart}", restart=restart) for restart in range(1, count + 1)]


def mismatched(problems: Sequence[Problem]) -> list[Problem]:
    """Every problem with the answer of the next one: the same texts in all, and the same starts, since ids are kept.

    Raises:   InputError for fewer than two problems, which have nothing to exchange
    """
    require(len(problems) > 1, "mismatching needs at least 2 pairs, whose answers can be exchanged")
    following = [*problems[1:], problems[0]]
    return [with_view(one, other.view("answer"), "mismatched") for one, other in zip(problems, following, strict=True)]


def with_view(problem: Problem, view: View, variant: str) -> Problem:
    """The problem with another target of the view's kind, under its own id, so that it starts where it did."""
    views = tuple(view if each.kind == view.kind else each for each in problem.views)
    return replace(problem, views=views, variant=variant)


def with_modes(generator: Generator, problem: Problem, modes: Sequence[str | None]) -> Problem:
    """The problem with other modes for its views, one each; None asks without any."""
    views = [
        replace(view, mode=mode, mode_ids=(generator.mode_id(mode),) if mode is not None else ())
        for view, mode in zip(problem.views, modes, strict=True)
    ]
    return replace(problem, views=tuple(views))


def views_apart(problem: Problem) -> list[Problem]:
    """Each view as a problem of its own."""
    return [
        replace(problem, id=f"{problem.id}/{view.name}", views=(view,), variant="view apart") for view in problem.views
    ]


def with_random_answer(generator: Generator, problem: Problem) -> Problem:
    """The problem with its answer replaced by as many random tokens, then EOS; drawn from the problem's id."""
    answer = problem.view("answer")
    drawn = random_ids(generator, len(answer.target_ids) - 1, seeded("random answer", problem.id))
    target = (*drawn, generator.eos_id)
    return with_view(problem, replace(answer, target_text=generator.text(target), target_ids=target), "random answer")


def of_class(generator: Generator, pair: Pair, modes: Mapping[str, Kind] = MODES) -> Problem:
    """One content for several phrasings of a pair, of which the last of each kind is held out.

    Greedy decoding can write only one of them from one mode, so such a problem is judged by likelihood alone.
    """
    return Problem(
        id=problem_id(pair.id, "joint"),
        views=tuple(
            View.of(generator, text, mode, kind=kind)
            for mode, kind in modes.items()
            for text in (pair.text(kind), *pair.paraphrases(kind)[:-1])
        ),
        pair=pair.id,
        variant="class",
    )


def rephrased(generator: Generator, pair: Pair, modes: Mapping[str, Kind] = MODES) -> Problem:
    """The pair's first paraphrase of the question with its answer, from a start of its own."""
    (problem,) = joint_problems(generator, [replace(pair, question=pair.question_paraphrases[0])], modes)
    return replace(problem, id=problem_id(pair.id, "rephrased"), variant="rephrased")
