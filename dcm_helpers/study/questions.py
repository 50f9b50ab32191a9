"""All questions together, the parts and tables that they need, and what each part takes."""

from collections.abc import Sequence

import pandas as pd

from dcm_helpers.controls import (
    across_question,
    exactness_question,
    limit_question,
    replaced_question,
    sharing_question,
    task_question,
    transfer_question,
)
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.inquiry import STORED_AS, Finding, Part, Question, Study, StudyConfig, Table
from dcm_helpers.pairs import load_pairs
from dcm_helpers.remedies import oracle_question, remedies_question, subspace_question
from dcm_helpers.solutions import (
    capacity_question,
    clusters_question,
    curves_question,
    landscape_question,
    prefixes_question,
    success_question,
    tokens_question,
    variety_question,
)
from dcm_helpers.stm import Problem, Row

QUESTIONS = {
    "success": success_question,
    "landscape": landscape_question,
    "curves": curves_question,
    "tokens": tokens_question,
    "clusters": clusters_question,
    "variety": variety_question,
    "capacity": capacity_question,
    "prefixes": prefixes_question,
    "across": across_question,
    "sharing": sharing_question,
    "limit": limit_question,
    "replaced": replaced_question,
    "task": task_question,
    "transfer": transfer_question,
    "exactness": exactness_question,
    "remedies": remedies_question,
    "oracle": oracle_question,
    "subspace": subspace_question,
}
"""By name, what each question is at some size; in the order in which their parts are made. To add one, add its file."""


PLANNED = [
    *("part", "asks", "problems", "done", "K", "most steps", "mean steps", "minutes", "at the base's pace", "MB"),
]
"""Columns of a plan."""
BY_NAME = ("remedies", "oracle", "subspace")
"""Questions that are asked only by those studies that name them."""


def questions(config: StudyConfig) -> dict[str, Question]:
    """The questions of a study at its size, by name.

    Raises:   InputError if it names one that does not exist
    """
    for name in config.questions:
        require_question(name)
    asked = config.questions or QUESTIONS.keys() - set(BY_NAME)
    return {name: of(config) for name, of in QUESTIONS.items() if name in asked}


def require_question(name: str) -> None:
    """Check that there is such a question.

    Raises:   InputError if there is none
    """
    require(name in QUESTIONS, f"there is no question {name!r}; expected some of: {', '.join(QUESTIONS)}")


def parts_of(config: StudyConfig) -> list[Part]:
    """All parts in the order in which they are made, by name unique: the questions' own, and what they need of others'.

    Those that compare nothing but steps and success end at the first exact content, a fifth of the work or less, and
    are named so.
    """
    asked, needed = questions(config), names_needed(config)
    return [part for name, of in QUESTIONS.items() for part in of(config).parts if name in asked or part.name in needed]


def tables_of(config: StudyConfig) -> list[Table]:
    """All tables in the order in which they are measured: the questions' own, and what they need of others'."""
    asked, needed = questions(config), names_needed(config)
    return [
        table for name, of in QUESTIONS.items() for table in of(config).tables if name in asked or table.name in needed
    ]


def names_needed(config: StudyConfig) -> set[str]:
    """Parts and tables, by name, that a study's questions need, those of other questions among them."""
    of_tables = {table.name: table.needs for of in QUESTIONS.values() for table in of(config).tables}
    needed = {
        need
        for question in questions(config).values()
        for needs in (*(table.needs for table in question.tables), *(needs for needs, _ in question.findings))
        for need in needs
    }
    return needed | {part for name in needed for part in of_tables.get(name, ())}


def all_findings(study: Study, *names: str) -> list[Finding]:
    """The findings that the study's present state supports, in the order of their labels.

    What has not been made yet is left out: the findings of a study in progress are fewer, never wrong.

    Args:     names  questions, such as 'landscape'; none means all
    Raises:   InputError if there is no such question
    """
    for name in names:
        require_question(name)
    found = [
        finding
        for name, question in questions(study.config).items()
        if not names or name in names
        for needs, find in question.findings
        if all(study.has_table(need) or study.complete(need) for need in needs)
        for finding in find(study)
    ]
    return sorted(found, key=lambda finding: finding.question)


def plan(study: Study) -> pd.DataFrame:
    """What each part needs: problems, slots, most steps of a restart, minutes, megabytes; measured where it is there.

    Parts made on other machines or threads are compared at the base part's seconds per position. Minutes of what is not
    there are reckoned at that pace, from the base's mean steps, in all or to the first exact content, as the part's
    stop rule has it. A study without a base part takes the first part that is complete.
    """
    config, generator = study.config, study.generator
    rows = []
    parts = parts_of(config)
    one_of_each = {part.dataset: part for part in parts}
    pairs = {dataset: load_pairs(part.data(config)).pairs for dataset, part in one_of_each.items()}
    asked = {part.name: part.problems(generator, pairs[part.dataset]) for part in parts}
    complete = [part for part in parts if study.complete(part.name)]
    based = any(part.baselines for part in parts)
    pace, usual = None, {}
    if base := next((part for part in complete if part.baselines or not based), None):
        records = pd.DataFrame(study.records(base.name))
        of_base = records[["steps_total", "steps_to_exact"]].mean()
        to_exact = of_base["steps_to_exact"] + 1
        usual = {"minimize": of_base["steps_total"], "exact": to_exact, "confident": to_exact}
        pace = records["seconds"].sum() / (positions_of(generator, asked[base.name], base) * of_base["steps_total"])
    for part in parts:
        problems = asked[part.name]
        positions = positions_of(generator, problems, part)
        records = study.records(part.name) if study.has(part.name) else []
        seconds = sum(record["seconds"] for record in records)
        done = len(records) == len(problems)
        taken = sum(record["steps_total"] for record in records) / len(records) if records else None
        at_pace = None
        if pace is not None:
            steps = taken if done else min(usual[part.optimizer.stop_rule], part.optimizer.num_steps)
            at_pace = positions * steps * pace / 60
        rows.append(
            {
                "part": part.name,
                "asks": part.asks,
                "problems": len(problems),
                "done": len(records),
                "K": part.optimizer.K,
                "most steps": part.optimizer.num_steps,
                "mean steps": taken,
                "minutes": seconds / 60 if done else at_pace,
                "at the base's pace": at_pace,
                "MB": len(problems) * part.optimizer.K * generator.width * STORED_AS.itemsize / 1e6,
            }
        )
    return pd.DataFrame(rows, columns=PLANNED)


def positions_of(generator: Generator, problems: Sequence[Problem], part: Part) -> int:
    """Positions of one evaluation of all problems of a part."""
    return sum(Row.of(generator, view, 0).length(part.optimizer.K) for problem in problems for view in problem.views)
