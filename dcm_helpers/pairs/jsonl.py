"""Pairs from a JSONL file, the shipped one among them: one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path

from dcm_helpers.config import InputError, require
from dcm_helpers.files import read_text
from dcm_helpers.pairs.pair import Pair


def read_jsonl(path: Path) -> Iterator[Pair]:
    """Pairs of a JSONL file: one object per line with "question" and "answer", the other fields of Pair optional."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where} is no JSON ({error.msg} at column {error.colno}); expected one object per line, for instance "
                '{"question": "What is 2 + 2?", "answer": "4"}'
            ) from error
        yield pair_from_row(row, where, default_id=f"line-{number}")


def pair_from_row(row: object, where: str, default_id: str) -> Pair:
    """Check one row of a user's file and make a Pair of it.

    Raises:   InputError naming the place, the field and what was expected
    """
    found = type(row).__name__
    require(isinstance(row, dict), f'{where}: expected an object with "question" and "answer", found {found}')
    for name in ("question", "answer"):
        require(
            name in row, f"{where}: field {name!r} is missing; found {', '.join(map(repr, row)) or 'no fields at all'}"
        )
    texts = {"id": default_id}
    for name in ("id", "question", "answer", "context", "topic", "question_type"):
        value = row.get(name, texts.get(name, ""))
        require(isinstance(value, str), f"{where}: field {name!r} is {value!r}; expected text in quotes")
        texts[name] = value.strip()
    require(texts["id"] != "", f"{where}: field 'id' is empty; expected a name, or no such field")
    lists = {}
    for name in ("question_paraphrases", "answer_paraphrases"):
        values = row.get(name, [])
        require(
            isinstance(values, list) and all(isinstance(value, str) for value in values),
            f"{where}: field {name!r} is {values!r}; expected a list of texts",
        )
        lists[name] = tuple(value.strip() for value in values)
    return Pair(**texts, **lists)
