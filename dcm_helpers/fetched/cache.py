"""What is fetched and converted once: kept with the hashes of its files, found again only if they are still right."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from dcm_helpers.config import PROJECT, parameter
from dcm_helpers.files import write_safely

CACHE = parameter("cache", PROJECT / ".cache")
"""Where what is fetched once is kept."""
HASHES = "hashes.json"
"""Written last: a folder without it is not complete."""


def kept(folder: Path, what: str, make: Callable[[Path], Path]) -> Path:
    """A folder of the cache: as it is where every file is what it was, or made anew.

    It appears under its name only when it is complete. What an interrupted making left is swept, and only one process
    makes it; others wait.

    Args:     what  is made, for messages;  make  is handed an empty folder and returns the folder in it that is kept
    """
    if not what_is_wrong(folder):  # without the lock, which a cache that is only to be read does not allow
        return folder
    parent, making = folder.parent, folder.with_name(f"{folder.name}.making")
    parent.mkdir(parents=True, exist_ok=True)
    with FileLock(parent / f".{folder.name}.lock"):
        if not (wrong := what_is_wrong(folder)):  # another process was first
            return folder
        if folder.is_dir():
            print(f"{folder} is not as it was kept ({wrong}); it is made anew.", file=sys.stderr)
        print(what, file=sys.stderr)
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        try:
            made = make(making)
            hashes = {path.name: {"sha256": sha256(path), **stamp(path)} for path in sorted(made.iterdir())}
            write_safely(made / HASHES, json.dumps(hashes, indent=2).encode() + b"\n")
            if folder.is_dir():
                shutil.rmtree(folder)
            made.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return folder


def what_is_wrong(folder: Path) -> str:
    """Why a kept folder cannot be used, in a few words; '' where it can."""
    try:
        hashes = json.loads((folder / HASHES).read_bytes())
        wrong = [name for name, expected in hashes.items() if not is_right(folder / name, expected)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return f"{type(error).__name__} at {HASHES} or a file that it names"
    return f"{wrong[0]} has changed" if wrong else ""


def is_right(path: Path, expected: dict) -> bool:
    """Whether a file is what it was: untouched since, or at least with the same hash, as after it was copied."""
    now = stamp(path)
    return {**expected, **now} == expected or (now["size"] == expected["size"] and sha256(path) == expected["sha256"])


def stamp(path: Path) -> dict:
    """What changes when a file is written; hashing half a gigabyte at every start would take most of a second."""
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
