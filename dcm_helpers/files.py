"""Files that are written whole or not at all, and text and JSON as the project reads and writes them."""

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout

from dcm_helpers.errors import InputError, require

HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""How JSON spells halves of characters."""
LOCK_SECONDS = 0.2
"""How long a lock is waited for before a stop is looked at."""


def write_safely(path: Path, data: bytes) -> None:
    """Write a file under its name only once it is complete and on disk; no link at its place is followed."""
    temporary = path.with_name(path.name + ".partial")
    try:
        temporary.unlink(missing_ok=True)
        with open(temporary, "xb") as file:
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


def is_there(path: Path) -> bool:
    """Whether there is a file; a folder or a pipe in its place is refused: reading one could wait for good.

    Raises:   InputError if there is something else
    """
    require(path.is_file() or not path.exists(), f"{path} is no file; take away what stands in its place")
    return path.is_file()


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
    """A file's text, a byte order mark left out, with an error that says what to do about a wrong encoding."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no UTF-8 text (byte {error.start}); save it as UTF-8") from error


class NoNumber(ValueError):
    """A NaN or an infinity where JSON has none."""


def no_number(name: str) -> float:
    """Refuse what Python would take for a number, and JSON does not know."""
    raise NoNumber(name)


def parsed_json(text: str, where: str, expected: str) -> object:
    """What a JSON text from elsewhere says.

    Args:     where  names the text in errors;  expected  what would be right, for errors, too
    Raises:   InputError in one line, whatever is wrong with it
    """
    try:
        value = json.loads(text, parse_constant=no_number)
        if HALF_A_CHARACTER.search(text):  # mostly both halves of one
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except NoNumber as error:
        raise InputError(f"{where} holds {error}, which is no number in JSON; {expected}") from error
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InputError(f"{where} holds {half!r}, half of a character; write the whole; {expected}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if "\n" in text.strip() else f"column {error.colno}"
        raise InputError(f"{where} is no JSON ({error.msg} at {place}); {expected}") from error
    except RecursionError as error:
        raise InputError(f"{where} is nested too deeply to be read; {expected}") from error
    except ValueError as error:  # Python reads no numbers of more than some thousand digits
        raise InputError(f"{where} holds a number that is too long to be read; {expected}") from error


@contextlib.contextmanager
def held(path: Path, stop: Event) -> Iterator[None]:
    """Hold a lock while a ``with`` block works; waiting for it ends, without it, once ``stop`` is set."""
    lock = FileLock(path)
    while not (lock.is_locked or stop.is_set()):
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=LOCK_SECONDS)
    try:
        yield
    finally:
        lock.release()
