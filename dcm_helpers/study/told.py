"""How findings become text and tables, and their tests are corrected together."""

from collections.abc import Sequence

import pandas as pd
import scipy.stats

from dcm_helpers.inquiry import NOT_SHOWN, SURE, Finding
from dcm_helpers.stats import Estimate, Quantity

ANECDOTE = 16
"""What rests on fewer pairs is called an anecdote."""
LEAST_P = 1e-4
"""Smaller p are told as below this."""


def findings_told(found: Sequence[Finding]) -> pd.DataFrame:
    """Findings as text: columns question, measured, figure, control."""
    rows = [(each.question, each.measured, told(each.figure), told(each.control)) for each in found]
    return pd.DataFrame(rows, columns=["question", "measured", "figure", "control"])


def answers_told(found: Sequence[Finding]) -> pd.DataFrame:
    """Of all findings of a study those that answer something, without their controls.

    Answers that rest on a test are one family: their p are corrected together for the share of false ones among those
    that are told (Benjamini and Hochberg), and what does not remain below 0.05 is not shown.

    Returns:  columns question, answer, figure, p, corrected p
    """
    rows = [
        (each.answer.question, says, f"{each.measured}: {told(each.figure)}", p_text(each.answer.p), p_text(p))
        for each, says, p in corrected(found)
    ]
    return pd.DataFrame(rows, columns=["question", "answer", "figure (95 % interval)", "p", "corrected p"])


def corrected(found: Sequence[Finding]) -> list[tuple[Finding, str, float | None]]:
    """Of all findings of a study those that answer something, each with what it says once p is corrected, and p."""
    answering = [(each, each.answer) for each in found if each.answer is not None]
    tested = [answer.p for _, answer in answering if answer.p is not None]
    together = iter(scipy.stats.false_discovery_control(tested)) if tested else iter(())
    told_of = []
    for each, answer in answering:
        p = None if answer.p is None else float(next(together))
        told_of.append((each, answer.answer if p is None or p < SURE else NOT_SHOWN, p))
    return told_of


def p_text(p: float | None) -> str:
    """A p value, or nothing where there is no test; tables keep six decimals, so that a small one may have become 0."""
    if p is None:
        return ""
    return f"{p:.2g}" if p >= LEAST_P else f"below {LEAST_P:g}"


def told(quantities: Sequence[Quantity]) -> str:
    """Quantities as one line of text; what rests on very few pairs is called an anecdote."""
    return "; ".join(quantity.text() + called(quantity.value) for quantity in quantities) or "nothing to compare"


def called(value: object) -> str:
    """What is said of an estimate on very few pairs."""
    few = isinstance(value, Estimate) and value.n is not None and value.n < ANECDOTE
    return " (anecdote)" if few else ""


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
