"""What is asked of a study: tables that are measured on its parts, and findings that follow from them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dcm_helpers.inquiry.part import Part
from dcm_helpers.inquiry.study import Study
from dcm_helpers.stats import Estimate, Quantity

BITS = 1 / math.log(2)
"""Bits in a nat."""
NOT_SHOWN = "not shown"
"""What an answer says that its test does not bear out."""
SURE = 0.05
"""An answer whose corrected p is not below this is not shown."""


Pieces = Mapping[str, Callable[[], pd.DataFrame]]
"""By name, what measures some rows of a table."""


@dataclass(frozen=True)
class Table:
    """Something that is measured on contents, once."""

    name: str
    measured: Callable[[Study], pd.DataFrame | Pieces]
    """Its rows; or, where they take long, pieces of them, so that a stop loses no more than one."""
    needs: Sequence[str]
    """Parts that must be complete."""
    sizes: Sequence[str] = ()
    """Settings of the study that it depends on, beside these parts."""


def verdict(bound: float, below: str, above: str, *estimates: Estimate) -> str:
    """What estimates say that are to lie on one side of a bound with all of their intervals, each with its words."""
    if all(each.high < bound for each in estimates):
        return below
    return above if all(each.low > bound for each in estimates) else NOT_SHOWN


@dataclass(frozen=True)
class Answer:
    """What a finding says to a question of the study, by a rule."""

    question: str
    answer: str
    rule: str
    """How the answer follows from the figure."""
    p: float | None = None
    """Of the test that it rests on, before it is corrected for all of them; None where it rests on none."""


@dataclass(frozen=True)
class Finding:
    """One measured answer, beside a control that could have refuted it."""

    question: str
    measured: str
    """What the figure is."""
    figure: Sequence[Quantity]
    control: Sequence[Quantity]
    """The same for what could have refuted it."""
    answer: Answer | None = None
    """For the few findings that answer a question of the whole study."""


@dataclass(frozen=True)
class Question:
    """What one question of the study needs, measures and finds, at some size."""

    parts: Sequence[Part] = ()
    """The parts that it needs beside those of the questions before it."""
    tables: Sequence[Table] = ()
    findings: Sequence[tuple[Sequence[str], Callable[[Study], list[Finding]]]] = ()
    """What each finding needs, parts and tables by name, and how it is found."""
