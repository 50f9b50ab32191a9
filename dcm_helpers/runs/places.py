"""Where the files that a run names are: one file is one file, wherever a command is typed or a notebook works."""

from collections.abc import Container
from pathlib import Path

from dcm_helpers.config import PROJECT


def settled(name: str, known: Container[str]) -> str:
    """One name for one file, wherever a command is typed: from the project where it lies there, else from the root.

    Args:     known  names that are no paths, and stay as they are, like what is not on this machine
    """
    path = Path(name).expanduser()
    if name in known or not path.exists():
        return name
    path = path.resolve()
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def typed_place(path: str) -> str:
    """A path that is not found from here but from the project's root; others as they are.

    A notebook's kernel works in the notebook's folder, and paths are typed where the project lies.
    """
    elsewhere = PROJECT / path
    return str(elsewhere) if elsewhere.exists() and not Path(path).exists() else path


def stored_place(path: str) -> str:
    """A path that a run has stored: from the project's root where it lies there, whatever lies here under its name."""
    elsewhere = PROJECT / path
    return str(elsewhere) if elsewhere.exists() else path
