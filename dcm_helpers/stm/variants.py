"""Problems made of other problems: restarts, mismatched texts, other modes, views apart, classes of paraphrases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from dcm_helpers.config import MODES, Kind
from dcm_helpers.errors import InputError, require
from dcm_helpers.generator import Generator, random_ids
from dcm_helpers.pairs import Pair
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Float
from dcm_helpers.stm.problem import Problem, View, joint_problems, problem_id
from dcm_helpers.stm.prompts import text_prompts


def restarts_of(problem: Problem, count: int) -> list[Problem]:
    """The same problem several times, each with a start of its own."""
    return [replace(problem, id=f"{problem.id}/restart {restart}", restart=restart) for restart in range(1, count + 1)]


OTHER_KIND = 1000
"""Tokens of difference in length that an answer to a question of the same type is worth."""


def mismatched(problems: Sequence[Problem]) -> list[Problem]:
    """Each problem with another's answer that is about as long, so that all texts are there as before."""
    (exchange,) = exchanges(problems, 1)
    return exchange


def exchanges(problems: Sequence[Problem], count: int, kinds: Sequence[str] = ()) -> list[list[Problem]]:
    """Several exchanges of answers: in each, every problem has another's, and the same texts are there in all.

    Answers come from questions of the same type as far as there are any, and are as long as can be had (in tokens,
    summed over all; an assignment problem). No problem gets the same answer twice. Ids are kept, and with them where
    problems start.

    Args:     count  how many exchanges;  kinds  the type of each problem's question; none takes them for equal
    Raises:   InputError if there are not so many exchanges: that needs more problems with different answers
    """
    answers = [problem.view("answer") for problem in problems]
    kinds = kinds or [""] * len(problems)
    cost = np.array([[abs(len(one.target_ids) - len(other.target_ids)) for other in answers] for one in answers], float)
    cost += OTHER_KIND * np.array([[one != other for other in kinds] for one in kinds])
    equal = np.array([[one.target_ids == other.target_ids for other in answers] for one in answers])
    cost[equal] = np.inf
    found = []
    for _ in range(count):
        try:
            takers, given = linear_sum_assignment(cost)
        except ValueError as error:
            raise InputError(
                f"{len(problems)} problems do not allow {count} exchanges of answers; at least {count + 1} with "
                "different answers are needed"
            ) from error
        cost[takers] = np.where(equal[given], np.inf, cost[takers])
        found.append(
            [with_view(problems[one], answers[other], "mismatched") for one, other in zip(takers, given, strict=True)]
        )
    return found


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


def restated(generator: Generator, problem: Problem) -> Problem:
    """The problem with an answer that first repeats the question: most of what it holds is in both texts."""
    question, answer = problem.view("question"), problem.view("answer")
    view = View.of(generator, f"{question.target_text} {answer.target_text}", answer.mode, kind="answer")
    return with_view(problem, view, "restated")


def with_meanings(
    problems: Sequence[Problem], embed: Callable[[Sequence[str]], Float[np.ndarray, "N E"]]
) -> list[Problem]:
    """The problems with an embedding of their texts, for what compares them.

    Args:     embed  unit vectors of some texts, as ``dcm.generator.sentence_embeddings`` gives them
    """
    texts = [" ".join(view.target_text for view in problem.views) for problem in problems]
    return [
        replace(problem, meaning=torch.from_numpy(row)) for problem, row in zip(problems, embed(texts), strict=True)
    ]


def with_oracle(generator: Generator, problem: Problem, pair: Pair) -> Problem:
    """The problem with the pair's context and question as the oracle of its answer, for what compares with it.

    Raises:   InputError if the pair has no context, or context, question and answer exceed the Generator's window
    """
    prompt = text_prompts(pair)["answer"]["full_context"]
    require(
        prompt is not None,
        f"the pair {pair.id!r} has no context, which the term 'oracle' compares with; leave out one of them",
    )
    ids = generator.prompt_ids(*prompt)
    views = tuple(replace(view, oracle_ids=ids) if view.kind == "answer" else view for view in problem.views)
    longest = max((len(ids) + len(view.target_ids) - 1 for view in views if view.oracle_ids), default=0)
    require(
        longest <= generator.window,
        f"context, question and answer of {pair.id!r} have {longest} tokens, which the term 'oracle' reads at once; "
        f"{generator.name} reads at most {generator.window}",
    )
    return replace(problem, views=views)


def of_class(generator: Generator, pair: Pair, modes: Mapping[str, Kind] = MODES, own: float = 1.0) -> Problem:
    """One content for several phrasings of a pair, of which the last of each kind is held out.

    Greedy decoding can write only one of them from one mode, so such a problem is judged by likelihood alone.

    Args:     own  what the pair's own text counts beside each of the other phrasings
    """
    return Problem(
        id=problem_id(pair.id, "joint"),
        views=tuple(
            replace(View.of(generator, text, mode, kind=kind), weight=weight)
            for mode, kind in modes.items()
            for text, weight in ((pair.text(kind), own), *((other, 1.0) for other in pair.paraphrases(kind)[:-1]))
        ),
        pair=pair.id,
        variant="class",
    )


def rephrased(generator: Generator, pair: Pair, modes: Mapping[str, Kind] = MODES) -> Problem:
    """The pair's first paraphrase of the question with its answer, from a start of its own."""
    (problem,) = joint_problems(generator, [replace(pair, question=pair.question_paraphrases[0])], modes)
    return replace(problem, id=problem_id(pair.id, "rephrased"), variant="rephrased")
