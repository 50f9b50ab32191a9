"""The study's look at the loss around and between contents. A study in, tables out; losses in nats per token."""

import itertools

import pandas as pd
import torch

from dcm_helpers.curvature import extreme_eigenvalues
from dcm_helpers.landscape import along_line, barrier, under_noise
from dcm_helpers.manifold import turned
from dcm_helpers.optimizer import ContentOptimizer
from dcm_helpers.solutions import optimizer_of
from dcm_helpers.stm import initial_content
from dcm_helpers.study import FEW, Study
from dcm_helpers.trajectory import Recorder, travel

FAMILIES = {"base": ("base", "restarts"), "far": ("far",)}
"""Contents that were found alike: at the base's learning rate, and ten times faster."""
FAMILY_PARTS = ("base", "restarts", "far")
LINE_POINTS = 11
RADII = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Norms of the noise, as fractions of each slot's norm."""
DRAWS = 6


def alike(study: Study, family: str) -> dict[str, list[tuple]]:
    """For each pair that has several reconstructed solutions of a family: the solutions with their starts."""
    found: dict[str, list[tuple]] = {}
    for part in FAMILIES[family]:
        those = study.solutions(part)
        for each, start in zip(those, study.starts(part, those), strict=True):
            if each.record["reconstructed"]:
                found.setdefault(each.problem.pair, []).append((each, start))
    return {pair: several for pair, several in sorted(found.items()) if len(several) > 1}


def between(study: Study) -> pd.DataFrame:
    """Every two solutions of one pair, their distance also relative to how far both have come, and the loss barrier.

    Returns:  columns family, pair, distance and start_distance (embedding units), relative (distance over the mean
              distance of both from their starts), cosine, start_cosine, barrier (nats)
    """
    generator, rows = study.generator, []
    for family in FAMILIES:
        for pair, several in alike(study, family).items():
            for (one, start), (other, other_start) in itertools.combinations(several, 2):
                a, b = one.content.flatten(), other.content.flatten()
                travelled = ((a - start.flatten()).norm() + (b - other_start.flatten()).norm()) / 2
                ends = (one.content.to(generator.device), other.content.to(generator.device))
                line = along_line(generator, one.problem, *ends, torch.linspace(0, 1, LINE_POINTS).tolist())
                rows.append(
                    {
                        "family": family,
                        "pair": pair,
                        "distance": (a - b).norm().item(),
                        "start_distance": (start - other_start).norm().item(),
                        "relative": ((a - b).norm() / travelled).item(),
                        "cosine": torch.cosine_similarity(a, b, dim=0).item(),
                        "start_cosine": torch.cosine_similarity(start.flatten(), other_start.flatten(), dim=0).item(),
                        "barrier": barrier(line),
                    }
                )
    return pd.DataFrame(rows)


def way(study: Study) -> pd.DataFrame:
    """The straight line from a start to its content.

    Returns:  columns family, pair, t (0 at the start, 1 at the content), loss, barrier (nats, of the whole line)
    """
    generator, tables = study.generator, []
    for family in FAMILIES:
        for pair, several in alike(study, family).items():
            each, start = several[0]
            ends = (start.to(generator.device), each.content.to(generator.device))
            line = along_line(generator, each.problem, *ends, torch.linspace(0, 1, LINE_POINTS).tolist())
            tables.append(line[["t", "loss"]].assign(family=family, pair=pair, barrier=barrier(line)))
    return pd.concat(tables)


def basin(study: Study) -> pd.DataFrame:
    """How noise of growing norm breaks a content: columns family, pair, radius, draw, reconstructed, loss."""
    generator, tables = study.generator, []
    for family in FAMILIES:
        for pair, several in alike(study, family).items():
            each, _ = several[0]
            noisy = under_noise(generator, each.problem, each.content.to(generator.device), RADII, DRAWS)
            tables.append(noisy[["radius", "draw", "reconstructed", "loss"]].assign(family=family, pair=pair))
    return pd.concat(tables)


def curvature(study: Study) -> pd.DataFrame:
    """Extreme eigenvalues of the Hessian at contents and at their starts, of the first few pairs.

    Returns:  one row each: columns family, pair, at ('content' or 'start'), and those of ``extreme_eigenvalues``, with
              top as ``top 1`` and so on
    """
    rows = []
    for family in FAMILIES:
        for pair, several in itertools.islice(alike(study, family).items(), FEW):
            each, start = several[0]
            for at, content in (("content", each.content), ("start", start)):
                found = extreme_eigenvalues(study.generator, each.problem, content.to(study.generator.device))
                top = {f"top {index + 1}": value for index, value in enumerate(found.pop("top"))}
                rows.append({"family": family, "pair": pair, "at": at, **top, **found})
    return pd.DataFrame(rows)


def trajectories(study: Study) -> pd.DataFrame:
    """How content travels: the first few pairs optimized again, every step kept for as long as it takes to measure.

    Returns:  columns family, pair, steps, reconstructed, those of ``travel``, and dimensions_99_random: of a walk of as
              many steps, of the same lengths, in random directions
    """
    generator, rows = study.generator, []
    for family in FAMILIES:
        several = itertools.islice(alike(study, family).values(), FEW)
        chosen = [solutions[0][0] for solutions in several]
        config = optimizer_of(study.folder(family))
        recorder = Recorder(every=1)
        problems = [each.problem for each in chosen]
        results = ContentOptimizer(generator, config).optimize(problems, on_step=recorder)
        for result in results:
            start = initial_content(generator, result.problem, config.K, config.init, config.seed, result.restart)
            points = recorder.points(start, result.problem.id, result.restart)
            steps = turned(points.diff(dim=0), "walk", result.problem.id)
            walk = torch.cat([points[:1], points[:1] + steps.cumsum(0)])
            rows.append(
                {
                    "family": family,
                    "pair": result.problem.pair,
                    "steps": result.steps,
                    "reconstructed": result.reconstructed,
                    **travel(points),
                    "dimensions_99_random": travel(walk)["dimensions_99"],
                }
            )
    return pd.DataFrame(rows)
