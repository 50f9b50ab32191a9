"""How a setting is typed, and what its help says beside its own line."""

import importlib
import inspect
import textwrap
from collections.abc import Callable
from typing import Annotated

import tyro

HELP_WIDTH = 78
"""Of lines that are not wrapped to the terminal."""


def with_names(room: str, table: str) -> Callable[[str], str]:
    """The hint behind a setting's help: its default, and the names in a room's table, which help alone looks up."""

    def hint(default: str) -> str:
        names = getattr(importlib.import_module(f"dcm_helpers.{room}"), table)
        return f"(default: {default}; known names: {', '.join(names)})"

    return hint


def read_number(words: list[str]) -> tuple[str, float]:
    """A name with a number, as typed: name=number."""
    name, _, number = words[0].partition("=")
    try:
        return name, float(number)
    except ValueError as error:
        raise ValueError(f"expected a name and a number, for instance semantic=0.3, got {words[0]!r}") from error


NamedNumber = Annotated[
    tuple[str, float],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME=NUMBER",
        instance_from_str=read_number,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [f"{value[0]}={value[1]:g}"],
    ),
]


def with_terms(command: type) -> str:
    """What a command's help says first: its own lines, and every term with a number to begin with and its source."""
    terms = importlib.import_module("dcm_helpers.objective").TERMS
    lines = [f"- {name}={term.usual:g}: {term.does} ({term.source})" for name, term in terms.items()]
    wrapped = [textwrap.fill(line, HELP_WIDTH, subsequent_indent="  ") for line in lines]
    return "\n".join([inspect.getdoc(command), "", "Terms that can stand beside cross-entropy:", *wrapped])
