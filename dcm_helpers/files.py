"""Files that are written whole or not at all, and text and JSON as the project reads and writes them."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

from dcm_helpers.config import InputError


def write_safely(path: Path, data: bytes) -> None:
    """Write a file under its name only once it is complete and on disk."""
    temporary = path.with_name(path.name + ".partial")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if hasattr(os, "O_DIRECTORY"):  # the new name must be on disk too, before a record speaks of it
            folder = os.open(path.parent, os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


def json_line(value: dict) -> bytes:
    """An object as a line of a JSONL file."""
    return json.dumps(finite(value), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def finite(value):
    """The value with every NaN and infinity, which JSON does not have, turned into None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_text(path: Path) -> str:
    """A file's text, with an error that says what to do about a wrong encoding."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no UTF-8 text (byte {error.start}); save it as UTF-8") from error
