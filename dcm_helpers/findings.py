"""A finding of the reference study: one measured answer, beside a control that could have refuted it."""

from dataclasses import dataclass

import pandas as pd

from dcm_helpers.estimates import Estimate
from dcm_helpers.study import Study


@dataclass(frozen=True)
class Finding:
    """One measured answer."""

    question: str
    measured: str
    """What the figure is."""
    figure: str
    """Value, 95 % interval, number of pairs."""
    control: str
    """The same for what could have refuted it."""
    asked: str = ""
    """For the few findings that answer a question of the whole study: the question in plain words ..."""
    answer: str = ""
    """... and the answer, which follows from the interval by a rule."""


def per_problem(study: Study, part: str) -> pd.DataFrame:
    """The records of a part by problem: columns pair, reconstructed, forced (teacher-forced exact), loss, steps
    (to the first exact content).

    Where no content was exact, steps are one more than the restart was given. There is no loss of a part that does not
    minimize: that of a first exact content is wherever the last step led.
    """
    optimizer = study.folder(part).manifest["identity"]["optimizer"]
    limit, minimized = optimizer["num_steps"], optimizer["stop_rule"] == "minimize"
    return (
        pd.DataFrame(
            [
                {
                    "problem": record["problem"],
                    "pair": record["pair"],
                    "reconstructed": record["reconstructed"],
                    "forced": all(view["teacher_forced_exact"] for view in record["views"]),
                    "loss": record["loss"] if minimized else float("nan"),
                    "steps": limit + 1 if record["exact_step"] is None else record["exact_step"],
                }
                for record in study.records(part)
            ]
        )
        .set_index("problem")
        .sort_index()
    )


def paired(study: Study, one: str, other: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The records of two parts for the problems that both have, in one order."""
    first, second = per_problem(study, one), per_problem(study, other)
    both = first.index.intersection(second.index)
    return first.loc[both], second.loc[both]


def percent(estimate: Estimate) -> str:
    """An estimate of a share, in percent."""
    return estimate.text(3, percent=True)
