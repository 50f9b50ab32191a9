"""Make the reference study, resumably and in parts: ``python -m dcm_helpers.reference --help``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pandas as pd
import torch
import tyro
from filelock import FileLock
from transformers.utils import logging

from dcm_helpers.answers import answers_table, findings_table, markdown
from dcm_helpers.config import DataConfig, GeneratorConfig, InputError, RunConfig, require
from dcm_helpers.datasets import load_pairs
from dcm_helpers.measurements import MEASUREMENTS, measure
from dcm_helpers.models import Generator, load_generator
from dcm_helpers.progress import stopping_on_interrupt
from dcm_helpers.results import STAGES, FolderInUse, json_line, write_safely
from dcm_helpers.stages import prepare
from dcm_helpers.stm import Row
from dcm_helpers.study import Part, Study, StudyConfig, parts_of

STORED_AS = torch.float16
"""Contents of a finished part. Their stored losses re-evaluate to 1e-2 (relative) or better; a test holds it."""
CURVE_POINTS = 24


@dataclass(frozen=True)
class Command:
    """Make the reference study: contents in parts, then what is measured on them, then the findings.

    Everything finished is stored at once, and the same command continues. Without a GPU it takes hours; --plan says
    what each part needs. Several at once share the work: each leaves alone what another is making.
    """

    study: tyro.conf.OmitArgPrefixes[StudyConfig] = field(default_factory=StudyConfig)
    parts: tuple[str, ...] = ()
    """Only these parts, and what can be measured then; all of them if none is named."""
    plan: bool = False
    """Only say what each part needs, and what it took where it is there."""
    findings: bool = False
    """Only print the answers and findings of what is there."""
    squad: str | None = None
    """A SQuAD 2.0 file: only run all stages on 100 of its pairs with all defaults, beside the study, and keep
    ids and figures in the study, no text."""


def plan(config: StudyConfig, generator: Generator) -> pd.DataFrame:
    """What each part needs: problems, slots, most steps of a restart, minutes, megabytes; measured where it is there.

    Minutes of what is not there are reckoned from the base part's seconds per position and its mean steps, in all or to
    the first exact content, as the part's stop rule has it.
    """
    pairs = load_pairs(DataConfig(num_examples=config.num_examples)).pairs
    study, rows = Study(Path(config.output_dir)), []
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
            taken = pd.DataFrame(records)[["steps_total", "exact_step"]].mean()
            usual = {"minimize": taken["steps_total"], "exact": taken["exact_step"] + 1}
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


def make_part(part: Part, config: StudyConfig, generator: Generator, stop: Event) -> bool:
    """Optimize what a part lacks, and pack it once it is complete. Returns whether it is."""
    if Study(Path(config.output_dir)).complete(part.name):
        return True
    with prepare(part.run_config(config), generator=generator) as run:
        run.stop = stop
        problems = part.problems(generator, run.dataset.pairs)
        if part.baselines:
            run.run()
        else:
            with run.session():
                run.optimize(2, problems, part.optimizer)
        complete = len(run.folder.records(2)) == len(problems) and not stop.is_set()
        if complete:
            run.folder.pack(2, STORED_AS, CURVE_POINTS)
        return complete


def make_squad(file: str, config: StudyConfig, stop: Event) -> bool:
    """Run all stages on 100 pairs of SQuAD with all defaults, and keep what is no text. Returns False after a stop."""
    run_config = RunConfig(
        generator=GeneratorConfig(config.model, config.device, compile=config.compile),
        data=DataConfig(dataset=file),
        stage="1,2,3",
        output_dir=str(Path(config.output_dir).parent),
        run_name="squad",
    )
    with prepare(run_config) as run:
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


def make(command: Command, stop: Event) -> bool:
    """Make the named parts, or all, and what can be measured on what is complete. Returns False after a stop."""
    config = command.study
    parts = parts_of(config)
    names = [part.name for part in parts]
    for name in command.parts:
        require(name in names, f"there is no part {name!r}; expected some of: {', '.join(names)}")
    generators: dict[str, Generator] = {}
    for part in parts:
        if command.parts and part.name not in command.parts:
            continue
        if part.layers not in generators:
            generators = {part.layers: load_generator(part.run_config(config).generator)}  # one at a time in memory
        print(f"{part.name}: {part.asks}", file=sys.stderr)
        try:
            make_part(part, config, generators[part.layers], stop)
        except FolderInUse:
            print(f"{part.name}: left to the process that is making it", file=sys.stderr)
        if stop.is_set():
            return False
    generator = load_generator(GeneratorConfig(config.model, config.device, config.dtype))
    study = Study(Path(config.output_dir), generator)
    with FileLock(study.path / ".lock"):  # whoever comes second waits, and finds the tables made
        for name in MEASUREMENTS:
            measure(study, name)
            if stop.is_set():
                return False
        write_safely(study.path / "README.md", card(study, plan(config, generator)).encode())
    print(markdown(answers_table(study)))
    return True


def card(study: Study, made: pd.DataFrame) -> str:
    """What stands in the study's folder: how it was made, its parts, its findings."""
    manifest = next(study.folder(part).manifest for part in made["part"] if study.has(part))
    versions, generator = manifest["versions"], manifest["generator"]
    for name in ("mean steps", "minutes", "MB"):
        made[name] = [f"{number:.1f}" if pd.notna(number) else "" for number in made[name]]
    return f"""# The reference study

Made by `python -m dcm_helpers.reference` with {generator["name"]} in {generator["dtype"]}, torch {versions["torch"]},
transformers {versions["transformers"]}; so was this page. Each part is a folder as any run's, with all its contents
in one file in half precision. `measured/` has the tables that were measured on them, `squad/` ids and figures of a run
on SQuAD.

## Parts

Minutes are those of forward and backward passes; where a part is not complete, reckoned from the base part. The
sessions in a part's `run.json`, where it has them, say on how many threads.

{markdown(made)}

## Findings

95 % intervals over pairs. Of several kinds of features the one that tells most from chance is shown, its p corrected.

{markdown(findings_table(study))}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    logging.disable_progress_bar()
    try:
        command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.reference")
        study = Study(Path(command.study.output_dir))
        if command.findings:
            print(f"{markdown(answers_table(study))}\n\n{markdown(findings_table(study))}")
            return 0
        if command.plan:
            config = command.study
            table = plan(config, load_generator(GeneratorConfig(config.model, config.device, config.dtype)))
            print(table.round(2).to_string(index=False))
            print(f"in all {table['minutes'].sum() / 60:.1f} h, {table['MB'].sum():.1f} MB of contents")
            return 0
        stop = Event()
        with stopping_on_interrupt(stop):
            if command.squad is not None:
                finished = make_squad(command.squad, command.study, stop)
            else:
                finished = make(command, stop)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not finished:
        print("Stopped. Everything finished is stored; the same command continues.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
