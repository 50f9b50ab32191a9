"""The loss around contents: along lines between them, and over planes through them. Arrays in, tables out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from dcm_helpers.generator import Generator
from dcm_helpers.look.tokens import turned
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stm import Problem, Row, score_rows

CONNECTED = 0.1
"""A loss barrier below this, in nats, joins two contents."""


def losses_at(generator: Generator, problem: Problem, contents: Contents) -> pd.DataFrame:
    """What a problem's objective is at many contents.

    Returns:  per content: ``loss`` (nats per token, summed over views), ``teacher_forced_exact`` (in every view), and
              ``loss <name>`` of each view
    """
    rows = [Row.of(generator, view, slot) for slot in range(len(contents)) for view in problem.views]
    scores = iter(score_rows(generator, rows, contents, contents.shape[1]))
    table = []
    for _ in range(len(contents)):
        of_views = [next(scores) for _ in problem.views]
        entry = {
            "loss": sum(score["loss"] for score in of_views),
            "teacher_forced_exact": all(score["teacher_forced_exact"] for score in of_views),
        }
        for view, score in zip(problem.views, of_views, strict=True):
            entry[f"loss {view.name}"] = score["loss"]
        table.append(entry)
    return pd.DataFrame(table)


def along_line(
    generator: Generator, problem: Problem, start: Content, end: Content, t: Sequence[float]
) -> pd.DataFrame:
    """The objective on the straight line through two contents: at ``t`` = 0 the first, at 1 the second.

    Returns:  the table of :func:`losses_at` with a column ``t``
    """
    weights = torch.tensor(list(t), dtype=start.dtype, device=start.device)[:, None, None]
    return losses_at(generator, problem, start + weights * (end - start)).assign(t=list(t))


def barrier(line: pd.DataFrame) -> float:
    """How far the loss rises, on a line between two contents, above the straight line between their losses.

    Source:   Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis (ICML 2020), on contents in
              place of weights
    """
    t, loss = line["t"].to_numpy(), line["loss"].to_numpy()
    chord = loss[0] + (loss[-1] - loss[0]) * (t - t[0]) / (t[-1] - t[0])
    return float((loss - chord).max())


def over_plane(
    generator: Generator, problem: Problem, center: Content, x: Content, y: Content, ticks: Sequence[float]
) -> pd.DataFrame:
    """The objective at ``center + a x + b y`` for all a and b of ``ticks``.

    Returns:  the table of :func:`losses_at` with columns ``x`` (a) and ``y`` (b)
    """
    places = [(a, b) for b in ticks for a in ticks]
    table = losses_at(generator, problem, torch.stack([center + a * x + b * y for a, b in places]))
    return table.assign(x=[a for a, _ in places], y=[b for _, b in places])


def pairwise(contents: Contents) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Distances and cosines between contents, all slots side by side.

    Returns:  two square tables: Euclidean distance in embedding units, and cosine
    """
    flat = contents.flatten(1).double().cpu()
    distances = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    directions = torch.nn.functional.normalize(flat, dim=1)
    names = [f"no. {index + 1}" for index in range(len(flat))]
    return tuple(
        pd.DataFrame(values.numpy(), index=names, columns=names) for values in (distances, directions @ directions.T)
    )


def under_noise(
    generator: Generator, problem: Problem, content: Content, radii: Sequence[float], draws: int
) -> pd.DataFrame:
    """The objective after adding noise to every slot: the same directions at every radius.

    Args:     radii  norm of the noise as a fraction of each slot's norm;  draws  how many directions
    Returns:  the table of :func:`losses_at` with columns ``radius`` and ``draw``
    """
    places = [(radius, draw) for radius in radii for draw in range(draws)]
    noises = [turned(content, problem.id, draw) for draw in range(draws)]
    contents = torch.stack([content + radius * noises[draw] for radius, draw in places])
    table = losses_at(generator, problem, contents)
    return table.assign(radius=[radius for radius, _ in places], draw=[draw for _, draw in places])


def half_radius(kept: pd.Series) -> float:
    """Where a share that falls with the radius (its index) first comes below one half, linearly between radii.

    At radius 0 all is kept. A share that never falls below one half gives the largest radius.
    """
    places, shares = np.array([0.0, *kept.index]), np.array([1.0, *kept])
    below = np.flatnonzero(shares < 0.5)
    if not len(below):
        return float(places[-1])
    after = below[0]
    step = (shares[after - 1] - 0.5) / (shares[after - 1] - shares[after])
    return float(places[after - 1] + step * (places[after] - places[after - 1]))
