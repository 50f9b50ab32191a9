"""Making a study: its parts, the tables measured on them, its page; and a run on SQuAD beside it."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from dcm_helpers.config import DataConfig, GeneratorConfig, RunConfig
from dcm_helpers.errors import require
from dcm_helpers.files import held, json_line, write_safely
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.inquiry import STORED_AS, Part, Stopped, Study, StudyConfig, keep_size
from dcm_helpers.optimize import MakeSolver
from dcm_helpers.pairs import load_pairs
from dcm_helpers.runs import prepare
from dcm_helpers.stm import Problem
from dcm_helpers.store import STAGES, FolderInUse
from dcm_helpers.study.measuring import measure
from dcm_helpers.study.questions import parts_of, tables_of

CURVE_POINTS = 24
"""Points that are kept of each loss curve of a finished part."""


def make_study(config: StudyConfig, make_solver: MakeSolver, only: Sequence[str], stop: Event) -> Study | None:
    """Make some parts, or all, and measure what can be measured on those that are complete.

    Args:     only  names of parts; none means all
    Returns:  the study, or None after a stop
    Raises:   InputError if there is no part of a name
    """
    require_parts(config, only)
    config = keep_size(config)
    parts = parts_of(config)
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
    study = Study(Path(config.output_dir), generator, make_solver, config, stop)
    with held(study.path / ".lock", stop):  # whoever comes second waits, and finds the tables made
        try:
            for table in tables_of(config):
                study.require_going()
                measure(study, table)
        except Stopped:
            return None
    return study


def require_parts(config: StudyConfig, names: Sequence[str]) -> None:
    """Check that a study has parts of some names.

    Raises:   InputError if there is no part of a name
    """
    known = [part.name for part in parts_of(config)]
    for name in names:
        require(name in known, f"there is no part {name!r}; expected some of the {len(known)} that --plan lists")


def make_part(part: Part, config: StudyConfig, generator: Generator, make_solver: MakeSolver, stop: Event) -> None:
    """Optimize what a part lacks, and pack it once it is complete.

    A part that grows may exchange its answers anew: what it has of other texts is done again.
    """
    study = Study(Path(config.output_dir))
    if study.complete(part.name):
        needed, have = part.problems(generator, load_pairs(part.data(config)).pairs), study.records(part.name)
        if len(have) == len(needed) and not of_other_texts(have, needed):
            return
    with prepare(part.run_config(config), make_solver, generator=generator) as run:
        run.stop = stop
        problems = part.problems(generator, run.dataset.pairs)
        run.again |= of_other_texts(run.folder.records(2), problems)
        if part.baselines:
            asked = {problem.pair for problem in problems}
            run.dataset = replace(run.dataset, pairs=[pair for pair in run.dataset.pairs if pair.id in asked])
            run.run()
        else:
            with run.session():
                run.optimize(2, problems, part.optimizer)
        if len(run.folder.records(2)) == len(problems) and not stop.is_set():
            run.folder.pack(2, STORED_AS, CURVE_POINTS)


def of_other_texts(records: Iterable[dict], problems: Iterable[Problem]) -> set[str]:
    """Those problems whose records are of other texts than theirs."""
    texts = {record["problem"]: [tuple(view["target_ids"]) for view in record["views"]] for record in records}
    ids = {problem.id: [view.target_ids for view in problem.views] for problem in problems}
    return {name for name in texts.keys() & ids.keys() if texts[name] != ids[name]}


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
