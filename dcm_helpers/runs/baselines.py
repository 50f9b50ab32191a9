"""What a target costs without an optimized content.

Every baseline is given per view, in nats per token, with EOS (``loss``) and without (``loss_text``):

* ``random``: the mean over 8 seeded draws of K random token embeddings in the content's place;
* ``single_token``: the mean over 8 seeded draws of one random token embedding;
* ``question_only``: the answer after the question as text;
* ``full_context``: the answer after context and question as text, the question after the context as text;
* ``task``: the answer after its question as text, after a task-level prompt that was found for other pairs.

Text stands in the Generator's prompt format (see :mod:`dcm_helpers.generator.frozen`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

import torch

from dcm_helpers.errors import require
from dcm_helpers.files import is_there
from dcm_helpers.forms import checked
from dcm_helpers.generator import Generator, token_rows
from dcm_helpers.pairs import Pair
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import EXTRA_TOKENS, Problem, Row, View, greedy_decode, score_rows, text_prompts
from dcm_helpers.store import Loss, RunFolder

DRAWS = 8
TOGETHER = 4
"""Pairs whose baselines are computed together: two thirds of the time of one after the other, and still seconds."""
Computed = TypeVar("Computed")
TASK = "task.json"
"""The file of a run that holds its task-level baseline, by pair."""


def view_baselines(
    generator: Generator,
    problems: Sequence[Problem],
    pairs: Sequence[Pair],
    K: int,
    seed: int,
    task: Mapping[str, Loss] = MappingProxyType({}),
) -> list[list[dict[str, Loss | None]]]:
    """The baselines of each view of joint problems.

    Args:     pairs  of each problem;  task  by pair those of its answer, where :func:`task_losses` found one
    Returns:  per problem and view, name -> losses; None where it does not apply (no context) or the prompt exceeds the
              window
    """
    found: list[list[dict[str, Loss | None]]] = [[{} for _ in problem.views] for problem in problems]
    views = list(numbered_views(problems))
    for name, slots in {"random": K, "single_token": 1}.items():
        drawn = [
            token_rows(generator, slots, seeded(name, seed, problem.id, draw))
            for problem in problems
            for draw in range(DRAWS)
        ]
        rows = [Row.of(generator, view, place * DRAWS + draw) for place, _, view in views for draw in range(DRAWS)]
        losses = losses_of(generator, rows, torch.stack(drawn), slots)
        for index, (place, number, _) in enumerate(views):
            of_view = losses[index * DRAWS : (index + 1) * DRAWS]
            found[place][number][name] = {key: sum(each[key] for each in of_view) / DRAWS for key in of_view[0]}
    texts = {
        (place, number, name): Row(generator.prompt_ids(*prompt), None, (), view.target_ids) if prompt else None
        for place, number, view in views
        for name, prompt in text_prompts(pairs[place]).get(view.kind, {}).items()
    }
    rows = {where: row for where, row in texts.items() if row is not None and row.length(K=0) <= generator.window}
    after_text = dict(zip(rows, losses_of(generator, list(rows.values()), None, 0), strict=True))
    for place, number, name in texts:
        found[place][number][name] = after_text.get((place, number, name))
    for place, number, view in views:
        if view.kind == "answer" and pairs[place].id in task:
            found[place][number]["task"] = task[pairs[place].id]
    return found


def numbered_views(problems: Sequence[Problem]) -> Iterator[tuple[int, int, View]]:
    """Every view with the numbers of its problem and of itself."""
    for place, problem in enumerate(problems):
        for number, view in enumerate(problem.views):
            yield place, number, view


def losses_of(generator: Generator, rows: Sequence[Row], contents: Contents | None, K: int) -> list[Loss]:
    """Of each row its losses with EOS and without."""
    return [{key: scores[key] for key in ("loss", "loss_text")} for scores in score_rows(generator, rows, contents, K)]


def computed_together(
    problems: Sequence[Problem], compute: Callable[[Sequence[Problem]], Sequence[Computed]]
) -> Callable[[Problem], Computed]:
    """A function that computes something for a problem, and for its neighbors with it: each computation for several.

    Who is computed together depends on the order of ``problems`` alone, whoever is asked for first.
    """
    ahead: dict[str, Computed] = {}
    places = {problem.id: place for place, problem in enumerate(problems)}

    def of(problem: Problem) -> Computed:
        if problem.id not in ahead:
            first = places[problem.id] // TOGETHER * TOGETHER
            some = problems[first : first + TOGETHER]
            ahead.update(zip((each.id for each in some), compute(some), strict=True))
        return ahead.pop(problem.id)

    return of


def kept_task_losses(folder: RunFolder, pairs: Iterable[Pair]) -> dict[str, Loss]:
    """Those that a run has already, by pair; empty before they were found.

    Raises:   InputError if the file is damaged, or speaks of other pairs
    """
    path, way_out = folder.path / TASK, "delete it; it is found again"
    if not is_there(path):
        return {}
    kept = checked(folder.read_json(TASK, way_out), dict[str, Loss], str(path), way_out)
    require(kept.keys() == {pair.id for pair in pairs}, f"{path} speaks of other pairs than this run has; {way_out}")
    require(all(loss["loss"] is not None for loss in kept.values()), f"{path} lacks the loss of a pair; {way_out}")
    return kept


def answer_from_text(generator: Generator, pair: Pair, new_tokens: int = 32) -> str:
    """What the Generator answers, greedily, to the pair's question after its context, both as text."""
    prompts = text_prompts(pair)["answer"]
    text, cue = prompts["full_context"] or prompts["question_only"]
    # a row's target only sets how far decoding may run
    row = Row(generator.prompt_ids(text, cue), None, (), (generator.eos_id,) * (new_tokens - EXTRA_TOKENS))
    (decoded,) = greedy_decode(generator, [row], None, K=0)
    return generator.text(decoded.ids).strip()
