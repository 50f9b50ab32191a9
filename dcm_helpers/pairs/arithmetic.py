"""Pairs that are generated: sums, differences and products of small numbers."""

import itertools
from collections.abc import Iterator

from dcm_helpers.pairs.pair import Pair


def make_arithmetic() -> Iterator[Pair]:
    """Every addition, subtraction and multiplication of two numbers from 2 to 99 with a result of at least 0."""
    results = {"+": int.__add__, "-": int.__sub__, "×": int.__mul__}
    topics = {"+": "addition", "-": "subtraction", "×": "multiplication"}
    for a, sign, b in itertools.product(range(2, 100), results, range(2, 100)):
        if sign == "-" and b > a:
            continue
        answer = str(results[sign](a, b))
        yield Pair(
            id=f"{a}{sign}{b}",
            question=f"What is {a} {sign} {b}?",
            answer=answer,
            context=f"{a} {sign} {b} = {answer}",
            topic=topics[sign],
            question_type="how_many",
        )
