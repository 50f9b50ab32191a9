"""How a setting is typed, and what its help says beside its own line."""

import dataclasses
import importlib
import inspect
import textwrap
import typing
from collections.abc import Callable
from numbers import Integral, Real
from types import UnionType
from typing import Annotated, Literal

import tyro

from dcm_helpers.errors import require

HELP_WIDTH = 78
"""Of lines that are not wrapped to the terminal."""


def require_types(settings: object) -> None:
    """Check that settings have values of their types, and those with few names one of these.

    A command line checks them as it reads; a notebook would run with what was mistyped.

    Raises:   InputError naming the setting, its value, and what was expected
    """
    hints = typing.get_type_hints(type(settings))
    for field in dataclasses.fields(settings):
        value, hint = getattr(settings, field.name), hints[field.name]
        kinds = typing.get_args(hint) if typing.get_origin(hint) in (Literal, UnionType) else (hint,)
        if typing.get_origin(hint) is Literal:
            require(value in kinds, f"{field.name} is {value!r}; expected one of: {', '.join(map(repr, kinds))}")
            continue
        for kind, number, what in ((int, Integral, "a whole number"), (float, Real, "a number")):
            if kind in kinds and not (value is None and type(None) in kinds):
                fits = isinstance(value, number) and not isinstance(value, bool)
                require(fits, f"{field.name} is {value!r}; expected {what}")
        if str in kinds and value is not None:
            require(isinstance(value, str), f"{field.name} is {value!r}; expected text")
        if bool in kinds:
            require(isinstance(value, bool), f"{field.name} is {value!r}; expected True or False")


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
