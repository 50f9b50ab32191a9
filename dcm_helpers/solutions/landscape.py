"""Landscape: is there one content for a pair or many, joined or apart, and how sharp is the loss at them?"""

import itertools

import pandas as pd
import torch

from dcm_helpers.inquiry import (
    FAMILY_NAMES,
    FAR_LR,
    Answer,
    Finding,
    Part,
    Question,
    Study,
    StudyConfig,
    Table,
    families,
    family_parts,
    joint,
    restarted,
    settings,
    verdict,
    with_one_restart,
)
from dcm_helpers.look import (
    CONNECTED,
    Recorder,
    along_line,
    barrier,
    extreme_eigenvalues,
    half_radius,
    travel,
    turned,
    under_noise,
)
from dcm_helpers.stats import Estimate, Quantity, mean, mean_share, median
from dcm_helpers.stm import initial_content

LINE_POINTS = 11
RADII = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
"""Norms of the noise, as fractions of each slot's norm."""
DRAWS = 6


def between(study: Study) -> pd.DataFrame:
    """Every two solutions of one pair, their distance also relative to how far both have come, and the loss barrier.

    Returns:  columns family, pair, distance and start_distance (embedding units), relative (distance over the mean
              distance of both from their starts), cosine, start_cosine, barrier (nats)
    """
    generator, rows = study.generator, []
    for family in families(study.config):
        for pair, several in study.alike(family).items():
            for (one, start), (other, other_start) in itertools.combinations(several, 2):
                a, b = one.content.flatten(), other.content.flatten()
                traveled = ((a - start.flatten()).norm() + (b - other_start.flatten()).norm()) / 2
                ends = (one.content.to(generator.device), other.content.to(generator.device))
                line = along_line(generator, one.problem, *ends, torch.linspace(0, 1, LINE_POINTS).tolist())
                rows.append(
                    {
                        "family": family,
                        "pair": pair,
                        "distance": (a - b).norm().item(),
                        "start_distance": (start - other_start).norm().item(),
                        "relative": ((a - b).norm() / traveled).item(),
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
    for family in families(study.config):
        for pair, several in study.alike(family).items():
            each, start = several[0]
            ends = (start.to(generator.device), each.content.to(generator.device))
            line = along_line(generator, each.problem, *ends, torch.linspace(0, 1, LINE_POINTS).tolist())
            tables.append(line[["t", "loss"]].assign(family=family, pair=pair, barrier=barrier(line)))
    return pd.concat(tables)


def basin(study: Study) -> pd.DataFrame:
    """How noise of growing norm breaks a content: columns family, pair, radius, draw, teacher_forced_exact, loss."""
    generator, tables = study.generator, []
    kept = ["radius", "draw", "teacher_forced_exact", "loss"]
    for family in families(study.config):
        for pair, several in study.alike(family).items():
            each, _ = several[0]
            noisy = under_noise(generator, each.problem, each.content.to(generator.device), RADII, DRAWS)
            tables.append(noisy[kept].assign(family=family, pair=pair))
    return pd.concat(tables)


def eigenvalues(study: Study) -> pd.DataFrame:
    """Extreme eigenvalues of the Hessian at contents and at their starts, of the first few pairs.

    Returns:  one row each: columns family, pair, at ('content' or 'start'), and those of ``extreme_eigenvalues``, with
              top as ``top 1`` and so on
    """
    rows = []
    for family in families(study.config):
        for pair, several in itertools.islice(study.alike(family).items(), study.config.few):
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
    for family in families(study.config):
        several = itertools.islice(study.alike(family).values(), study.config.few)
        problems = [solutions[0][0].problem for solutions in several]
        config = study.run(family).optimizer
        recorder = Recorder(every=1)
        results = list(study.solve(config, problems, recorder))
        order = [problem.id for problem in problems]
        for result in sorted(results, key=lambda result: order.index(result.problem.id)):
            start = initial_content(generator, result.problem, config.K, config.start, config.seed, result.restart)
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


def one_or_many(study: Study) -> list[Finding]:
    """One content or many, joined or apart."""
    pairs, lines, noise = (study.table(name) for name in ("between", "way", "basin"))
    found = []
    for family in pairs["family"].unique():
        name, here = FAMILY_NAMES[family], pairs[pairs["family"] == family]
        means = here.groupby("pair")[["relative", "cosine", "start_cosine", "barrier"]].mean()
        joined = (here["barrier"] < CONNECTED).groupby(here["pair"]).mean()
        downhill = lines[lines["family"] == family].groupby("pair")["barrier"].first()
        broken = radii(noise[noise["family"] == family])
        rise = mean(means["barrier"])
        found += [
            Finding(
                "2 landscape",
                f"distance of two solutions of a pair, over how far each traveled{name}",
                [Quantity("", mean(means["relative"]))],
                [
                    Quantity("their cosine", mean(means["cosine"]), ".2g"),
                    Quantity("of their starts", mean(means["start_cosine"]), ".2g"),
                ],
            ),
            Finding(
                "2 landscape",
                f"loss barrier between them, nats{name}",
                [Quantity("", rise)],
                [
                    Quantity(f"share that is joined (below {CONNECTED}):", mean_share(joined), percent=True),
                    Quantity("barrier from start to content", mean(downhill), ".2g"),
                ],
                apart_or_joined(rise) if family == "base" else None,
            ),
            Finding(
                "2 landscape",
                f"noise that breaks half the decodes, of each slot's norm{name}",
                [Quantity("", median(broken), ".2g")],
                [
                    Quantity("tried from", noise["radius"].min(), "g"),
                    Quantity("to", noise["radius"].max(), "g"),
                ],
            ),
        ]
    return found


def apart_or_joined(rise: Estimate) -> Answer:
    """What the mean barrier between solutions of one pair says."""
    return Answer(
        "Is there one content for a pair?",
        verdict(CONNECTED, "many that lines join", "no, many that no straight line joins", rise),
        f"not joined if the interval of the barrier on lines lies above {CONNECTED} nats, joined if below",
    )


def radii(basin: pd.DataFrame) -> list[float]:
    """For each pair the radius at which half its decodes break."""
    return [half_radius(table.groupby("radius")["teacher_forced_exact"].mean()) for _, table in basin.groupby("pair")]


def sharpness_and_travel(study: Study) -> list[Finding]:
    """How sharp the loss is at contents, and how contents travel."""
    sharp, trips = study.table("curvature"), study.table("trajectories")
    found = []
    for family in sharp["family"].unique():
        name, here = FAMILY_NAMES[family], sharp[sharp["family"] == family]
        content, start = (here[here["at"] == at]["relative"] for at in ("content", "start"))
        trip = trips[trips["family"] == family]
        found += [
            Finding(
                "2 landscape",
                f"top Hessian eigenvalue times squared slot norm{name}",
                [Quantity("", median(content), ".2g")],
                [Quantity("at the starts", median(start), ".2g")],
            ),
            Finding(
                "2 landscape",
                f"principal components that hold 99 % of a trajectory{name}",
                [Quantity("", mean(trip["dimensions_99"]))],
                [
                    Quantity("of a random walk of such steps", mean(trip["dimensions_99_random"])),
                    Quantity("length over displacement", mean(1 / trip["straightness"])),
                ],
            ),
        ]
    return found


def landscape_question(config: StudyConfig) -> Question:
    """Several solutions of a pair, and the same at ten times the learning rate."""
    some, ten_times = joint(config.landscape), settings(config, lr=FAR_LR)
    return Question(
        parts=[
            Part("restarts", "more solutions of one pair", settings(config), restarted(some, config.restarts - 1)),
            *([Part("far", "ten times the learning rate", ten_times, with_one_restart(some))] if config.far else []),
        ],
        tables=[
            Table("between", between, family_parts(config)),
            Table("way", way, family_parts(config)),
            Table("basin", basin, family_parts(config)),
            Table("curvature", eigenvalues, family_parts(config), ("few",)),
            Table("trajectories", trajectories, family_parts(config), ("few",)),
        ],
        findings=[
            (["between", "way", "basin"], one_or_many),
            (["curvature", "trajectories"], sharpness_and_travel),
        ],
    )
