"""What a target costs without an optimized content, and when a content counts as converged against that.

Every baseline is given per view, in nats per token, with EOS (``loss``) and without (``loss_text``):

* ``random``: the mean over 8 seeded draws of K random token embeddings in the content's place;
* ``single_token``: the mean over 8 seeded draws of one random token embedding;
* ``question_only``: the answer after the question as text;
* ``full_context``: the answer after context and question as text, the question after the context as text.

Text stands in the Generator's prompt format (see :mod:`dcm_helpers.models`).
"""

import torch

from dcm_helpers.datasets import Pair
from dcm_helpers.decoding import greedy_decode
from dcm_helpers.losses import score_rows
from dcm_helpers.models import Generator
from dcm_helpers.stm import EXTRA_TOKENS, Problem, Row, View, seeded, token_rows

DRAWS = 8
RANDOM_FRACTION = 0.3
"""A view converges below this fraction of its random baseline ..."""
CONTEXT_MULTIPLE = 2.0
"""... or below this multiple of its full-context baseline."""

Loss = dict[str, float]
"""``loss`` and ``loss_text``, in nats per token."""


def view_baselines(
    generator: Generator, problem: Problem, pair: Pair, K: int, seed: int
) -> list[dict[str, Loss | None]]:
    """The baselines of each view of a joint problem (question first, answer second).

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
    for result, view, prompts in zip(results, problem.views, text_prompts(pair), strict=True):
        for name, prompt in prompts.items():
            result[name] = text_loss(generator, view, *prompt) if prompt else None
    return results


def text_prompts(pair: Pair) -> tuple[dict[str, tuple[str, str] | None], ...]:
    """The text prompts that ask for the question and for the answer, each with its cue for plain prompts."""
    ask = (f"{pair.context}\n\nAsk one question about this text.", "Question") if pair.context else None
    read = (f"{pair.context}\n\n{pair.question}", "Answer") if pair.context else None
    return {"full_context": ask}, {"question_only": (pair.question, "Answer"), "full_context": read}


def text_loss(generator: Generator, view: View, text: str, cue: str) -> Loss | None:
    """Loss of a view's target after a text prompt; None if both together exceed the window."""
    row = Row(generator.prompt_ids(text, cue), None, (), view.target_ids)
    if row.length(K=0) > generator.window:
        return None
    (scores,) = score_rows(generator, [row], None, K=0)
    return {key: scores[key] for key in ("loss", "loss_text")}


def answer_from_text(generator: Generator, pair: Pair, new_tokens: int = 32) -> str:
    """What the Generator answers, greedily, to the pair's question after its context, both as text."""
    _, prompts = text_prompts(pair)
    text, cue = prompts["full_context"] or prompts["question_only"]
    # a row's target only sets how far decoding may run
    row = Row(generator.prompt_ids(text, cue), None, (), (generator.eos_id,) * (new_tokens - EXTRA_TOKENS))
    (decoded,) = greedy_decode(generator, [row], None, K=0)
    return generator.text(decoded.ids).strip()


def converged_by(loss_text: float, baselines: dict[str, Loss | None]) -> list[str]:
    """The clauses of the convergence criterion that a view meets: 'random', 'full_context', both, or none.

    Both sides leave EOS out. A pair without context has only the first clause.

    Args:     loss_text  the view's loss without EOS, in nats per token
    """
    bounds = {"random": RANDOM_FRACTION, "full_context": CONTEXT_MULTIPLE}
    return [
        name
        for name, factor in bounds.items()
        if baselines.get(name) is not None and loss_text < factor * baselines[name]["loss_text"]
    ]
