"""How a setting is typed, and what its help says beside its own line."""

import dataclasses
import importlib
import inspect
import textwrap
import typing
from collections.abc import Callable, Sequence
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
        value = getattr(settings, field.name)
        expected = what_is_missing(value, hints[field.name])
        require(not expected, f"{field.name} is {value!r}; expected {expected}")


def what_is_missing(value: object, hint: object) -> str:
    """What was expected of a value by its type, in a few words; '' where it fits, or the type is none of these."""
    origin, kinds = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "" if value in kinds else f"one of: {', '.join(map(repr, kinds))}"
    if origin is UnionType:
        return "" if value is None and type(None) in kinds else what_is_missing(value, kinds[0])
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return "several values"
        each = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
        if len(each) != len(value):
            return f"{len(each)} values"
        missing = (what_is_missing(item, kind) for item, kind in zip(value, each, strict=True))
        return next((what if " in " in what else f"{what} in its place" for what in missing if what), "")
    numbers = {int: (Integral, "a whole number"), float: (Real, "a number")}
    if hint in numbers:
        number, what = numbers[hint]
        return "" if isinstance(value, number) and not isinstance(value, bool) else what
    names = {str: "text", bool: "True or False"}
    return names[hint] if hint in names and not isinstance(value, hint) else ""


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
    return "\n".join(
        [
            inspect.getdoc(command),
            "",
            "Terms that can stand beside cross-entropy, each by --term name=number; 0 is off:",
            *wrapped,
        ]
    )
