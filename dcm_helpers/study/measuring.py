"""Tables measured on a study's parts: at once, or in pieces that are kept as they come."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from dcm_helpers.errors import require
from dcm_helpers.files import is_there, parsed_json, read_text, write_safely
from dcm_helpers.inquiry import Pieces, Study, Table, digest, keep_measured_on, measured_on

DIGITS = 6
"""Decimals that are kept of every number in a table."""


def measure(study: Study, table: Table) -> None:
    """Make a table unless it is there and its parts are as they were, or one of them is not complete.

    It is written whole, and what it was measured on beside it; of one in pieces, those that are done outlast a stop.

    Raises:   Stopped if the study was stopped meanwhile
    """
    path = study.table_path(table.name)
    missing = [part for part in table.needs if not study.complete(part)]
    if missing:
        print(f"{table.name}: waits for {', '.join(missing)}", file=sys.stderr)
        return
    on = measured_now(study, table)
    if path.exists() and measured_on(study.path).get(table.name) == on:
        return
    why = ", since what it was measured on has changed" if path.exists() else ""
    print(f"{table.name}: measuring{why}", file=sys.stderr)
    path.parent.mkdir(parents=True, exist_ok=True)
    found, unfinished = table.measured(study), path.with_suffix(".unfinished.json")
    if isinstance(found, Mapping):
        found = in_pieces(study, table.name, found, on, unfinished)
    write_safely(path, found.to_json(orient="records", lines=True, double_precision=DIGITS).encode())
    keep_measured_on(study.path, table.name, on)
    unfinished.unlink(missing_ok=True)


def measured_now(study: Study, table: Table) -> dict:
    """What a table would be measured on now, as JSON has it: parts that it needs, settings that it depends on."""
    parts = {part: digest(study.records(part)) for part in table.needs}
    sizes = {name: getattr(study.config, name) for name in table.sizes}
    return json.loads(json.dumps({"parts": parts, "sizes": sizes}))


def in_pieces(study: Study, name: str, pieces: Pieces, on: dict, unfinished: Path) -> pd.DataFrame:
    """The rows of all pieces; each is kept once it is measured, for whoever goes on after a stop.

    Args:     on  what is measured on: pieces that were measured on something else are measured again
    Raises:   Stopped if the study was stopped meanwhile;  InputError if what was kept is damaged
    """
    kept = kept_pieces(unfinished, on)
    waiting = [piece for piece in pieces if piece not in kept]
    done = len(pieces) - len(waiting)
    for piece in tqdm(waiting, name, total=len(pieces), initial=done, unit="piece", file=sys.stderr):
        study.require_going()
        rows = pieces[piece]()
        study.require_going()  # what a stop cut short is no piece
        kept[piece] = json.loads(rows.to_json(orient="records", double_precision=DIGITS))
        write_safely(unfinished, json.dumps({"on": on, "pieces": kept}).encode())
    return pd.DataFrame([row for piece in pieces for row in kept[piece]])


def kept_pieces(unfinished: Path, on: dict) -> dict[str, list[dict]]:
    """The rows of pieces that are measured already; none where they were measured on something else."""
    if not is_there(unfinished):
        return {}
    way_out = "delete it; its pieces are measured again"
    kept = parsed_json(read_text(unfinished), str(unfinished), way_out)
    right = isinstance(kept, dict) and isinstance(kept.get("pieces"), dict) and "on" in kept
    require(right, f"{unfinished} is damaged; {way_out}")
    return kept["pieces"] if kept["on"] == on else {}
