"""All findings of a reference study, recomputed from its records and tables (``dcm_helpers.reference --findings``).

What has not been made yet is left out: the table of a study in progress is shorter, never wrong.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from dcm_helpers.findings import Finding
from dcm_helpers.findings_contents import clusters, curvature, drawn, from_tokens, held, heterogeneity, landscape
from dcm_helpers.findings_controls import capacity, compared, routing, split, success, transfer
from dcm_helpers.study import Study

SHARED = "Are true pairs easier than mismatched ones?"
COMPARED = [
    ("7a mismatched", "true over mismatched pairs, K=2, until exact", "exact-K2", "exact-mismatched-K2", SHARED),
    ("7a mismatched", "true over mismatched pairs, K=8, until exact", "base", "exact-mismatched-K8", SHARED),
    ("7a mismatched", "true over mismatched pairs, K=2", "K2", "mismatched-K2", ""),
    ("7a mismatched", "true over mismatched pairs, K=8", "base", "mismatched-K8", ""),
    (
        "7b random",
        "true answers over random tokens, K=8, until exact",
        "base",
        "exact-random-K8",
        "Are true answers easier than random tokens?",
    ),
    (
        "7c layers",
        "trained over shuffled layers",
        "base",
        "exact-layers-shuffled",
        "Are trained layers easier than shuffled ones?",
    ),
    (
        "7c layers",
        "trained over random layers",
        "base",
        "exact-layers-random",
        "Are trained layers easier than random ones?",
    ),
    ("7e mode", "modes Q and A over X and Y", "base", "exact-modes", "Are Q and A easier modes than X and Y?"),
]
"""Question, what is compared, both parts, and the question in plain words where the comparison answers one."""

FINDINGS: list[tuple[Sequence[str], Callable[[Study], list[Finding]]]] = [
    (("base", "surprisal"), success),
    (("between", "way", "basin"), landscape),
    (("curvature", "trajectories"), curvature),
    (("slots", "snapped"), from_tokens),
    (("slots", "norm"), held),
    (("slots", "snapped"), drawn),
    (("clusters",), clusters),
    (("heterogeneity", "ablation"), heterogeneity),
    (("base", "surprisal", "K1", "exact-K4"), capacity),
    (("K2", "mismatched-K2", "split-K2"), split(2)),
    (("base", "mismatched-K8", "split-K8"), split(8)),
    (("routing",), routing),
    *[((one, other), compared(question, name, one, other, asked)) for question, name, one, other, asked in COMPARED],
    (("transfer",), transfer),
]
"""What each finding needs, parts and tables by name, and how it is found."""


def all_findings(study: Study) -> list[Finding]:
    """The findings that the study's present state supports, in the order of the questions."""
    found = [
        finding
        for needs, find in FINDINGS
        if all(study.has_table(name) or study.complete(name) for name in needs)
        for finding in find(study)
    ]
    return sorted(found, key=lambda finding: finding.question)


def findings_table(study: Study, *questions: str) -> pd.DataFrame:
    """All findings: columns question, measured, figure, control.

    Args:     questions  beginnings of the questions that are wanted, such as '2'; all of them if none is named
    """
    names = ["question", "measured", "figure", "control"]
    wanted = [each for each in all_findings(study) if not questions or each.question.startswith(questions)]
    return pd.DataFrame([[getattr(each, name) for name in names] for each in wanted], columns=names)


def answers_table(study: Study) -> pd.DataFrame:
    """The few findings that answer the study's questions, without their controls: columns question, answer, figure."""
    rows = [(each.asked, each.answer, f"{each.measured}: {each.figure}") for each in all_findings(study) if each.asked]
    return pd.DataFrame(rows, columns=["question", "answer", "figure (95 % interval)"])


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
