"""Curves: are the contents of a pair joined by paths that may bend?"""

from functools import partial
from itertools import islice

import pandas as pd
import torch

from dcm_helpers.generator import Generator
from dcm_helpers.inquiry import FAMILIES, Answer, Finding, Pieces, Question, Study, StudyConfig, Table, verdict
from dcm_helpers.look import CONNECTED, along_curve, along_line, barrier, low_curve, on_curve
from dcm_helpers.runs import Solution
from dcm_helpers.stats import Quantity, mean, mean_share, share

STEPS, LR = 100, 0.03
PLACES = torch.linspace(0, 1, 33).tolist()
"""Where the loss is looked at, on the curve and on the line."""


def curves(study: Study) -> Pieces:
    """The loss between the first two solutions of each pair, on the straight line and on a curve; a piece is a pair.

    Returns:  of columns pair, straight and curved (barriers in nats), length (of the curve over the distance),
              teacher_forced_exact (share of the curve's places)
    """
    chosen = islice(study.alike("base").items(), study.config.landscape)
    return {
        pair: partial(of_pair, study.generator, pair, [each for each, _ in several[:2]]) for pair, several in chosen
    }


def of_pair(generator: Generator, pair: str, both: list[Solution]) -> pd.DataFrame:
    """The row of a pair."""
    problem = both[0].problem
    start, end = (each.content.to(generator.device) for each in both)
    middle = low_curve(generator, problem, start, end, STEPS, LR)
    curve = along_curve(generator, problem, start, middle, end, PLACES)
    way = on_curve(start, middle, end, torch.linspace(0, 1, 1001)).flatten(1).diff(dim=0).norm(dim=1).sum()
    row = {
        "pair": pair,
        "straight": barrier(along_line(generator, problem, start, end, PLACES)),
        "curved": barrier(curve),
        "length": (way / (end - start).norm()).item(),
        "teacher_forced_exact": curve["teacher_forced_exact"].mean(),
    }
    return pd.DataFrame([row])


def joined(study: Study) -> list[Finding]:
    """Whether curves join what straight lines do not."""
    table = study.table("curves").set_index("pair")
    rise = mean(table["curved"])
    return [
        Finding(
            "2 landscape",
            f"loss barrier on a curve between two solutions of a pair, nats, after {STEPS} steps",
            [Quantity("", rise, ".2g")],
            [
                Quantity("on the straight line", mean(table["straight"])),
                Quantity(f"joined by the curve (below {CONNECTED}):", share(table["curved"] < CONNECTED), percent=True),
                Quantity("by the line", share(table["straight"] < CONNECTED), percent=True),
                Quantity("places on the curve that are exact", mean_share(table["teacher_forced_exact"]), percent=True),
                Quantity("length of the curve over the distance", mean(table["length"])),
            ],
            Answer(
                "Do curved paths join the contents of a pair?",
                verdict(CONNECTED, "yes", "not all", rise),
                f"yes if the interval of the barrier on the curve lies below {CONNECTED} nats, not all if above",
            ),
        )
    ]


def curves_question(config: StudyConfig) -> Question:
    """The landscape's solutions."""
    return Question(tables=[Table("curves", curves, FAMILIES["base"], ("landscape",))], findings=[(["curves"], joined)])
