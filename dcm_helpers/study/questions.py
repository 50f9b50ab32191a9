"""All questions together: their parts made, their tables measured, their findings told.

What has not been made yet is left out: the findings of a study in progress are fewer, never wrong.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pandas as pd
import torch

from dcm_helpers.config import DataConfig, GeneratorConfig, RunConfig, StudyConfig
from dcm_helpers.errors import require
from dcm_helpers.files import held, json_line, write_safely
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.optimize import MakeSolver
from dcm_helpers.pairs import load_pairs
from dcm_helpers.runs import prepare
from dcm_helpers.stats import Quantity
from dcm_helpers.stm import Row
from dcm_helpers.store import STAGES, FolderInUse
from dcm_helpers.study import capacity, clusters, landscape, sharing, success, tokens, transfer, variety
from dcm_helpers.study.study import Finding, Part, Question, Study, Table

QUESTIONS = {
    "success": success.question,
    "landscape": landscape.question,
    "tokens": tokens.question,
    "clusters": clusters.question,
    "variety": variety.question,
    "capacity": capacity.question,
    "sharing": sharing.question,
    "transfer": transfer.question,
}
"""By name, what each question is at some size; in the order in which their parts are made. To add one, add its file."""
STORED_AS = torch.float16
"""Contents of a finished part. Their stored losses re-evaluate to 1e-2 (relative) or better; a test holds it."""
CURVE_POINTS = 24
CAVEATS = """Not all of these comparisons are fair. Random answers and other layers are compared by steps, while the
surprisal of targets is not held. Distance to tokens is mostly the distance from the start, which is a token. One
content is set against the slower of two halves. With modes swapped, an STM is the other mode's own, and the decode
was cut by a cap that depends on the target. The test of true against mismatched pairs has little power, and question
types are mostly first words."""
"""What stands below the answers until the methods are mended."""
DIGITS = 6
"""Decimals that are kept of every number in a table."""


def questions(config: StudyConfig) -> dict[str, Question]:
    """All questions at a size, by name."""
    return {name: question(config) for name, question in QUESTIONS.items()}


def parts_of(config: StudyConfig) -> list[Part]:
    """All parts in the order in which they are made, by name unique.

    Those that compare nothing but steps and success end at the first exact content, a fifth of the work or less, and
    are named so.
    """
    return [part for question in questions(config).values() for part in question.parts]


def tables_of(config: StudyConfig) -> list[Table]:
    """All tables in the order in which they are measured."""
    return [table for question in questions(config).values() for table in question.tables]


def make_study(config: StudyConfig, make_solver: MakeSolver, only: Sequence[str], stop: Event) -> Study | None:
    """Make some parts, or all, and measure what can be measured on those that are complete.

    Args:     only  names of parts; none means all
    Returns:  the study, or None after a stop
    Raises:   InputError if there is no part of a name
    """
    parts = parts_of(config)
    names = [part.name for part in parts]
    for name in only:
        require(name in names, f"there is no part {name!r}; expected some of: {', '.join(names)}")
    generators: dict[str, Generator] = {}
    for part in parts:
        if only and part.name not in only:
            continue
        if part.layers not in generators:
            generators = {part.layers: load_generator(part.run_config(config).generator)}  # one at a time in memory
        print(f"{part.name}: {part.asks}", file=sys.stderr)
        try:
            make_part(part, config, generators[part.layers], make_solver, stop)
        except FolderInUse:
            print(f"{part.name}: left to the process that is making it", file=sys.stderr)
        if stop.is_set():
            return None
    generator = load_generator(GeneratorConfig(config.model, config.device, config.dtype))
    study = Study(Path(config.output_dir), generator, make_solver, config)
    with held(study.path / ".lock", stop):  # whoever comes second waits, and finds the tables made
        for table in tables_of(config):
            if stop.is_set():
                return None
            measure(study, table)
        write_safely(study.path / "README.md", page(study, plan(study)).encode())
    return study


def make_part(part: Part, config: StudyConfig, generator: Generator, make_solver: MakeSolver, stop: Event) -> None:
    """Optimize what a part lacks, and pack it once it is complete."""
    if Study(Path(config.output_dir)).complete(part.name):
        return
    with prepare(part.run_config(config), make_solver, generator=generator) as run:
        run.stop = stop
        problems = part.problems(generator, run.dataset.pairs)
        if part.baselines:
            run.run()
        else:
            with run.session():
                run.optimize(2, problems, part.optimizer)
        if len(run.folder.records(2)) == len(problems) and not stop.is_set():
            run.folder.pack(2, STORED_AS, CURVE_POINTS)


def measure(study: Study, table: Table) -> None:
    """Make a table unless it is there, or a part that it needs is not complete; it is written whole."""
    path = study.table_path(table.name)
    missing = [part for part in table.needs if not study.complete(part)]
    if missing:
        print(f"{table.name}: waits for {', '.join(missing)}", file=sys.stderr)
    elif not path.exists():
        print(f"{table.name}: measuring", file=sys.stderr)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = table.measured(study).to_json(orient="records", lines=True, double_precision=DIGITS)
        write_safely(path, rows.encode())


def plan(study: Study) -> pd.DataFrame:
    """What each part needs: problems, slots, most steps of a restart, minutes, megabytes; measured where it is there.

    Minutes of what is not there are reckoned from the base part's seconds per position and its mean steps, in all or to
    the first exact content, as the part's stop rule has it.
    """
    config, generator = study.config, study.generator
    pairs = load_pairs(DataConfig(num_examples=config.num_examples)).pairs
    rows = []
    pace, usual = None, {}  # known once the base part, the first, was made
    for part in parts_of(config):
        problems = part.problems(generator, pairs)
        positions = sum(
            Row.of(generator, view, 0).length(part.optimizer.K) for problem in problems for view in problem.views
        )
        records = study.records(part.name) if study.has(part.name) else []
        seconds = sum(record["seconds"] for record in records)
        done = len(records) == len(problems)
        if part.baselines and done:
            taken = pd.DataFrame(records)[["steps_total", "steps_to_exact"]].mean()
            usual = {"minimize": taken["steps_total"], "exact": taken["steps_to_exact"] + 1}
            pace = seconds / (positions * taken["steps_total"])
        reckoned = None
        if pace is not None:
            reckoned = positions * min(usual[part.optimizer.stop_rule], part.optimizer.num_steps) * pace / 60
        rows.append(
            {
                "part": part.name,
                "asks": part.asks,
                "problems": len(problems),
                "done": len(records),
                "K": part.optimizer.K,
                "most steps": part.optimizer.num_steps,
                "mean steps": sum(record["steps_total"] for record in records) / len(records) if records else None,
                "minutes": seconds / 60 if done else reckoned,
                "MB": len(problems) * part.optimizer.K * generator.width * STORED_AS.itemsize / 1e6,
            }
        )
    return pd.DataFrame(rows)


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
    """The few findings that answer the study's questions, without their controls: columns question, answer, figure."""
    rows = [
        (each.answer.question, each.answer.answer, f"{each.measured}: {told(each.figure)}")
        for each in all_findings(study)
        if each.answer is not None
    ]
    return pd.DataFrame(rows, columns=["question", "answer", "figure (95 % interval)"])


def told(quantities: Sequence[Quantity]) -> str:
    """Quantities as one line of text."""
    return "; ".join(quantity.text() for quantity in quantities) or "nothing to compare"


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


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
on SQuAD.

## Answers

`not shown` means that the interval holds "no difference".

{markdown(answers_table(study))}

How each answer follows from its figure:

{rules}

{CAVEATS}

## Findings

95 % intervals over pairs. Of several kinds of features the one that tells most from chance is shown, its p corrected.

{markdown(findings_table(study))}

## Parts

Minutes are those of forward and backward passes; where a part is not complete, reckoned from the base part. The
sessions in a part's `run.json`, where it has them, say on how many threads.

{markdown(made)}
"""


def make_squad(file: str, config: StudyConfig, make_solver: MakeSolver, stop: Event) -> bool:
    """Run all stages on 100 pairs of SQuAD with all defaults, and keep what is no text. Returns False after a stop."""
    run_config = RunConfig(
        generator=GeneratorConfig(config.model, config.device, compile=config.compile),
        data=DataConfig(dataset=file),
        stage="1,2,3",
        output_dir=str(Path(config.output_dir).parent),
        run_name="squad",
    )
    with prepare(run_config, make_solver) as run:
        run.stop = stop
        summary = run.run()
        if summary["finished"]:
            target = Path(config.output_dir) / "squad"
            target.mkdir(parents=True, exist_ok=True)
            manifest = {name: run.folder.manifest[name] for name in ("generator", "versions", "sessions")}
            write_safely(target / "summary.json", json.dumps({**summary, **manifest}, indent=2).encode() + b"\n")
            lines = [json_line(without_text(record)) for stage in STAGES for record in run.folder.records(stage)]
            write_safely(target / "records.jsonl", b"".join(lines))
        return summary["finished"]


def without_text(record: dict) -> dict:
    """A record as ids and figures: every text, token id and file name left out."""
    kept = {name: value for name, value in record.items() if name not in ("content", "views")}
    views = [
        {name: value for name, value in view.items() if not name.endswith(("_text", "_ids")) or name == "loss_text"}
        for view in record["views"]
    ]
    return {**kept, "views": views}
