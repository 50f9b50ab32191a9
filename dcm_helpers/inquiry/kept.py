"""What each table of a study was measured on."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from dcm_helpers.errors import require
from dcm_helpers.files import is_there, json_line, parsed_json, read_text, write_safely

MEASURED_ON = "measured/on.json"


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
