"""What texts cost after contents that were not found for them, and after none; what is predicted after them."""

from collections.abc import Sequence

import torch

from dcm_helpers.generator import Generator
from dcm_helpers.optimize import oracle_of
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Row, View, lay_out, score_rows, scored, target_logits


def nats_after(generator: Generator, views: Sequence[View], contents: Contents | None) -> list[list[float]]:
    """What each view's whole target costs, in nats, after each content, and last after none.

    Args:     contents  the contents, (B, K, D); None where only the cost after none is wanted
    """
    return [[whole for whole, _ in of_view] for of_view in nats_and_first(generator, views, contents)]


def nats_and_first(
    generator: Generator, views: Sequence[View], contents: Contents | None
) -> list[list[tuple[float, float]]]:
    """As :func:`nats_after`, each with what the target's first token alone costs."""
    count, K = (0, 0) if contents is None else contents.shape[:2]
    slots = [*range(count), None]
    rows = [Row.of(generator, view, slot) for view in views for slot in slots]
    scores = iter(score_rows(generator, rows, contents, K))
    return [
        [(found["loss"] * len(view.target_ids), found["first"]) for found in [next(scores) for _ in slots]]
        for view in views
    ]


@torch.no_grad()
def nats_of_tokens(generator: Generator, view: View) -> list[float]:
    """What each of a view's target tokens costs without any content, in nats."""
    layout = lay_out(generator, [Row.of(generator, view, None)], 0)
    return scored(target_logits(generator, layout, None), layout).nll[0].tolist()


@torch.no_grad()
def from_oracle(generator: Generator, view: View, contents: Contents) -> list[float]:
    """How far predictions after each content diverge from the oracle's, KL(oracle || content), in nats a token.

    Args:     view  with an oracle, see :func:`dcm_helpers.stm.with_oracle`;  contents  (B, K, D)
    """
    count, K = contents.shape[:2]
    layout = lay_out(generator, [Row.of(generator, view, slot) for slot in range(count)], K)
    told = oracle_of(generator, view)
    predicted = target_logits(generator, layout, contents).to(told.dtype).log_softmax(-1).view(count, *told.shape)
    return (told.exp() * (told - predicted)).sum(2).mean(1).tolist()
