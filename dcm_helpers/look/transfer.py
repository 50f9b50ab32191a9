"""What texts cost after contents that were not found for them, and after none."""

from collections.abc import Sequence

from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Row, View, score_rows


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
