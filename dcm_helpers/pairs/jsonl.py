"""Pairs from a JSONL file, the shipped ones among them: one object a line."""

from collections.abc import Iterator
from pathlib import Path

from dcm_helpers.files import parsed_json, read_text
from dcm_helpers.pairs.pair import Pair, pair_from_row

EXPECTED = 'expected one object per line, for instance {"question": "What is 2 + 2?", "answer": "4"}'


def read_jsonl(path: Path) -> Iterator[Pair]:
    """Pairs of a JSONL file: one object per line with "question" and "answer", the other fields of Pair optional."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            where = f"{path.name}, line {number}"
            yield pair_from_row(parsed_json(line, where, EXPECTED), where, default_id=f"line-{number}")
