"""What a study found, as tables and as its page.

What has not been made yet is left out: the findings of a study in progress are fewer, never wrong.
"""

from collections.abc import Sequence

import pandas as pd
import scipy.stats

from dcm_helpers.errors import require
from dcm_helpers.files import write_safely
from dcm_helpers.inquiry import NOT_SHOWN, Finding, Study
from dcm_helpers.stats import Estimate, Quantity
from dcm_helpers.study.questions import QUESTIONS, plan, questions

FEWEST = 16
"""What rests on fewer pairs is called an anecdote."""
SURE = 0.05
"""An answer whose corrected p is not below this is not shown."""
LEAST_P = 1e-4
"""Smaller p are told as below this."""


def all_findings(study: Study, *names: str) -> list[Finding]:
    """The findings that the study's present state supports, in the order of their labels.

    Args:     names  questions, such as 'landscape'; none means all
    Raises:   InputError if there is no such question
    """
    for name in names:
        require(name in QUESTIONS, f"there is no question {name!r}; expected some of: {', '.join(QUESTIONS)}")
    found = [
        finding
        for name, question in questions(study.config).items()
        if not names or name in names
        for needs, find in question.findings
        if all(study.has_table(need) or study.complete(need) for need in needs)
        for finding in find(study)
    ]
    return sorted(found, key=lambda finding: finding.question)


def findings_table(study: Study, *names: str) -> pd.DataFrame:
    """Findings as text: columns question, measured, figure, control. For ``names`` see :func:`all_findings`."""
    rows = [
        (each.question, each.measured, told(each.figure), told(each.control)) for each in all_findings(study, *names)
    ]
    return pd.DataFrame(rows, columns=["question", "measured", "figure", "control"])


def answers_table(study: Study) -> pd.DataFrame:
    """The few findings that answer the study's questions, without their controls.

    Answers that rest on a test are one family: their p are corrected together for the share of false ones among those
    that are told (Benjamini and Hochberg), and what does not remain below 0.05 is not shown.

    Returns:  columns question, answer, figure, corrected p
    """
    found = [(each, each.answer) for each in all_findings(study) if each.answer is not None]
    tested = [answer.p for _, answer in found if answer.p is not None]
    corrected = iter(scipy.stats.false_discovery_control(tested)) if tested else iter(())
    rows = []
    for each, answer in found:
        p = None if answer.p is None else float(next(corrected))
        says = answer.answer if p is None or p < SURE else NOT_SHOWN
        rows.append((answer.question, says, f"{each.measured}: {told(each.figure)}", "" if p is None else p_text(p)))
    return pd.DataFrame(rows, columns=["question", "answer", "figure (95 % interval)", "corrected p"])


def p_text(p: float) -> str:
    """A p value; tables keep six decimals, so that a small one may have become 0."""
    return f"{p:.2g}" if p >= LEAST_P else f"below {LEAST_P:g}"


def told(quantities: Sequence[Quantity]) -> str:
    """Quantities as one line of text; what rests on very few pairs is called an anecdote."""
    return "; ".join(quantity.text() + called(quantity.value) for quantity in quantities) or "nothing to compare"


def called(value: object) -> str:
    """What is said of an estimate on very few pairs."""
    few = isinstance(value, Estimate) and value.n is not None and value.n < FEWEST
    return " (anecdote)" if few else ""


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_page(study: Study) -> None:
    """Write the page that stands in the study's folder."""
    write_safely(study.path / "README.md", page(study, plan(study)).encode())


def page(study: Study, made: pd.DataFrame) -> str:
    """What stands in the study's folder: how it was made, its answers, its findings, its parts."""
    manifest = next(study.folder(part).manifest for part in made["part"] if study.has(part))
    versions, generator = manifest["versions"], manifest["generator"]
    for name in ("mean steps", "minutes", "MB"):
        made[name] = [f"{number:.1f}" if pd.notna(number) else "" for number in made[name]]
    by_rule: dict[str, dict[str, None]] = {}
    for finding in all_findings(study):
        if finding.answer is not None:
            by_rule.setdefault(finding.answer.rule, {})[finding.answer.question] = None
    rules = "\n".join(f"- {rule[0].upper()}{rule[1:]}: {' '.join(asked)}" for rule, asked in by_rule.items())
    return f"""# The reference study

Made by `python -m dcm_helpers.reference` with {generator["name"]} in {generator["dtype"]}, torch {versions["torch"]},
transformers {versions["transformers"]}; so was this page. Each part is a folder as any run's, with all its contents
in one file in half precision. `measured/` has the tables that were measured on them, `squad/` ids and figures of a run
on SQuAD. [Where this stands among others](RELATED.md).

## Answers

`not shown` means that the interval holds "no difference", or that the test does not stand once all tests of this table
are corrected together (false-discovery rate of Benjamini and Hochberg, corrected p below {SURE}).

{markdown(answers_table(study))}

How each answer follows from its figure:

{rules}

## Findings

95 % intervals over pairs, not corrected. What rests on fewer than {FEWEST} pairs is called an anecdote. Of several
kinds of features the one that tells most from chance is shown, its p corrected.

{markdown(findings_table(study))}

## Parts

Minutes are those of forward and backward passes; where a part is not complete, reckoned from the base part. The
sessions in a part's `run.json`, where it has them, say on how many threads.

{markdown(made)}
"""
