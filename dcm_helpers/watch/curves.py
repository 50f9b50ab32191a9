"""Loss curves as a drawing inside HTML: small enough to be drawn anew every second, and kept by any export."""

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

from dcm_helpers.markup import escaped

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 26, 34
POINTS = 60
"""A curve is drawn by at most this many points."""
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
"""Of the views, in their order (Okabe and Ito, 2008)."""

Point = TypeVar("Point")
Curve = tuple[str, str, Sequence[tuple[int, float]]]
"""Problem, view, and (step, loss) points, losses in nats per token."""


def drawing(curves: Sequence[Curve]) -> str:
    """Loss of each view against steps, on a logarithmic axis, as SVG; empty where nothing was measured yet."""
    curves = [(problem, view, thinned(on_a_log_axis(points), POINTS)) for problem, view, points in curves]
    curves = [(problem, view, points) for problem, view, points in curves if points]
    if not curves:
        return ""
    losses = [loss for _, _, points in curves for _, loss in points]
    last = max(1, max(points[-1][0] for _, _, points in curves))
    low, high = math.floor(math.log10(min(losses))), math.ceil(math.log10(max(losses)))
    high = max(high, low + 1)

    def x(step: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def y(loss: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(loss)) / (high - low)

    views = list(dict.fromkeys(view for _, view, _ in curves))
    color = {view: COLORS[index % len(COLORS)] for index, view in enumerate(views)}
    rules = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(10.0**power):.1f}" y2="{y(10.0**power):.1f}" '
        f'stroke="currentColor" opacity="0.15"/><text x="{LEFT - 6}" y="{y(10.0**power) + 4:.1f}" '
        f'text-anchor="end">{10.0**power:g}</text>'
        for power in range(low, high + 1)
    ]
    ticks = [
        f'<text x="{x(step):.1f}" y="{HEIGHT - 16}" text-anchor="middle">{step}</text>' for step in round_steps(last)
    ]
    lines = [
        f'<polyline fill="none" stroke="{color[view]}" stroke-width="1.5" opacity="0.75" points="'
        f'{" ".join(f"{x(step):.1f},{y(loss):.1f}" for step, loss in points)}">'
        f"<title>{escaped(problem)}, view {escaped(view)}</title></polyline>"
        for problem, view, points in curves
    ]
    keys = [
        f'<tspan fill="{color[view]}">{"  " if index else ""}━ view {escaped(view)}</tspan>'
        for index, view in enumerate(views)
    ]
    return (
        f'<svg class="dcm-curves" data-steps="{last}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'style="max-width: {WIDTH}px; width: 100%; '
        'font: 11px system-ui, sans-serif; fill: currentColor" role="img" aria-label="loss against steps">'
        f"{''.join(rules)}{''.join(ticks)}{''.join(lines)}"
        f'<text x="{WIDTH - RIGHT}" y="12" text-anchor="end" style="white-space: pre">{"".join(keys)}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 2}" text-anchor="end">step</text>'
        f'<text x="0" y="10">loss (nats per token)</text></svg>'
    )


def thinned(points: Sequence[Point], most: int) -> tuple[Point, ...]:
    """At most so many evenly spaced points of a curve, its last one always among them."""
    stride = max(1, math.ceil(len(points) / most))
    return tuple(reversed(list(reversed(points))[::stride]))


def on_a_log_axis(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points of a curve that a logarithm can show."""
    return [(step, loss) for step, loss in points if 0 < loss < math.inf]


def round_steps(last: int) -> list[int]:
    """Some round numbers of steps from 0 to at most ``last``, nine at most."""
    strides = (digit * 10**power for power in itertools.count() for digit in (1, 2, 5))
    return list(range(0, last + 1, next(stride for stride in strides if last / stride <= 8)))
