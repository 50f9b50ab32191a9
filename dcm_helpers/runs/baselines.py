"""What a target costs without an optimized content.

Every baseline is given per view, in nats per token, with EOS (``loss``) and without (``loss_text``):

* ``random``: the mean over 8 seeded draws of K random token embeddings in the content's place;
* ``single_token``: the mean over 8 seeded draws of one random token embedding;
* ``question_only``: the answer after the question as text;
* ``full_context``: the answer after context and question as text, the question after the context as text;
* ``task``: the answer after its question as text, after a task-level prompt that was found for other pairs.

Text stands in the Generator's prompt format (see :mod:`dcm_helpers.generator.frozen`).
"""

from collections.abc import Iterable

import torch

from dcm_helpers.errors import require
from dcm_helpers.files import is_there
from dcm_helpers.forms import checked
from dcm_helpers.generator import Generator, token_rows
from dcm_helpers.pairs import Pair
from dcm_helpers.seeds import seeded
from dcm_helpers.stm import EXTRA_TOKENS, Problem, Row, View, greedy_decode, score_rows, text_prompts
from dcm_helpers.store import Loss, RunFolder

DRAWS = 8
TASK = "task.json"
"""The file of a run that holds its task-level baseline, by pair."""


def view_baselines(
    generator: Generator, problem: Problem, pair: Pair, K: int, seed: int, task: Loss | None = None
) -> list[dict[str, Loss | None]]:
    """The baselines of each view of a joint problem.

    Args:     task  that of its answer, where :func:`task_losses` found one
    Returns:  per view, name -> losses; None where it does not apply (no context) or the prompt exceeds the window
    """
    draws = {"random": K, "single_token": 1}
    results: list[dict[str, Loss | None]] = [{} for _ in problem.views]
    for name, slots in draws.items():
        contents = torch.stack(
            [token_rows(generator, slots, seeded(name, seed, problem.id, draw)) for draw in range(DRAWS)]
        )
        rows = [Row.of(generator, view, draw) for view in problem.views for draw in range(DRAWS)]
        scores = score_rows(generator, rows, contents, slots)
        for index in range(len(problem.views)):
            of_view = scores[index * DRAWS : (index + 1) * DRAWS]
            results[index][name] = {key: sum(entry[key] for entry in of_view) / DRAWS for key in ("loss", "loss_text")}
    prompts = text_prompts(pair)
    for result, view in zip(results, problem.views, strict=True):
        for name, prompt in prompts.get(view.kind, {}).items():
            result[name] = text_loss(generator, view, *prompt) if prompt else None
        if task and view.kind == "answer":
            result["task"] = task
    return results


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


def text_loss(generator: Generator, view: View, text: str, cue: str) -> Loss | None:
    """Loss of a view's target after a text prompt; None if both together exceed the window."""
    row = Row(generator.prompt_ids(text, cue), None, (), view.target_ids)
    if row.length(K=0) > generator.window:
        return None
    (scores,) = score_rows(generator, [row], None, K=0)
    return {key: scores[key] for key in ("loss", "loss_text")}


def answer_from_text(generator: Generator, pair: Pair, new_tokens: int = 32) -> str:
    """What the Generator answers, greedily, to the pair's question after its context, both as text."""
    prompts = text_prompts(pair)["answer"]
    text, cue = prompts["full_context"] or prompts["question_only"]
    # a row's target only sets how far decoding may run
    row = Row(generator.prompt_ids(text, cue), None, (), (generator.eos_id,) * (new_tokens - EXTRA_TOKENS))
    (decoded,) = greedy_decode(generator, [row], None, K=0)
    return generator.text(decoded.ids).strip()
