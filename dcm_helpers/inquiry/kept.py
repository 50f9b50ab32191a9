"""What a study's folder says of itself: its size, and what each of its tables was measured on."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from dcm_helpers.errors import InputError, require
from dcm_helpers.files import is_there, json_line, parsed_json, read_text, write_safely
from dcm_helpers.inquiry.size import StudyConfig

SIZE, MEASURED_ON = "study.json", "measured/on.json"
WHERE = ("output_dir", "device", "compile")
"""Settings that say where a study is made, not what it is."""


def keep_size(config: StudyConfig) -> None:
    """Write down a study's size in its folder: what differs from the defaults.

    A command that asks only some questions of a study that has more does not make it smaller.
    """
    path = Path(config.output_dir) / SIZE
    if is_there(path):
        before = size_of(path.parent).questions
        both = dict.fromkeys((*before, *config.questions)) if before and config.questions else ()
        config = dataclasses.replace(config, questions=tuple(both))
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    differing = {
        field.name: values[field.name]
        for field in dataclasses.fields(config)
        if field.name not in WHERE and values[field.name] != field.default
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safely(path, json.dumps(differing, indent=2).encode() + b"\n")


def size_of(folder: Path) -> StudyConfig:
    """The size of the study in a folder; of one that does not say, that of the reference study.

    Raises:   InputError if what it says is no size
    """
    path, expected = folder / SIZE, "the study's command writes it anew"
    if not is_there(path):
        return StudyConfig(output_dir=str(folder))
    values = parsed_json(read_text(path), str(path), expected)
    known = {field.name for field in dataclasses.fields(StudyConfig)} - set(WHERE)
    require(isinstance(values, dict), f"{path} holds {values!r}, no settings; {expected}")
    unknown = sorted(values.keys() - known)
    require(not unknown, f"{path} has unknown settings: {', '.join(unknown)}; {expected}")
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        return StudyConfig(**settings, output_dir=str(folder))
    except InputError as error:
        raise InputError(f"{path}: {error}; {expected}") from error


def digest(records: Iterable[dict]) -> str:
    """What tells a part's records from others: the first half of a SHA-256."""
    whole = hashlib.sha256()
    for record in records:
        whole.update(json_line(record))
    return whole.hexdigest()[:32]


def measured_on(folder: Path) -> dict[str, dict]:
    """By table, what it was measured on; empty where no table was."""
    path = folder / MEASURED_ON
    if not is_there(path):
        return {}
    known = parsed_json(read_text(path), str(path), "delete it; tables are measured again")
    require(isinstance(known, dict), f"{path} is damaged; delete it; tables are measured again")
    return known


def keep_measured_on(folder: Path, table: str, on: dict) -> None:
    """Write down what a table was measured on."""
    known = dict(sorted({**measured_on(folder), table: on}.items()))
    write_safely(folder / MEASURED_ON, json.dumps(known, indent=1).encode() + b"\n")
