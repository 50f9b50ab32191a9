"""Every term by its name: what it does, what its number means, where it is from.

A term is a function of this room under the same name. To add one: the function, exported in ``__init__.pyi``, and a row
here. This file imports nothing heavy, since help reads it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Literal

from dcm_helpers.errors import require


@dataclass(frozen=True)
class Term:
    """What is to be known of a term without computing it."""

    does: str
    """One line of help."""
    kind: Literal["added", "counted", "read", "heard"] = "added"
    """Added to cross-entropy with the number as its weight; or how target tokens count; or in what form contents are
    read; or how fast the Generator's own words take the target's place."""
    usual: float = 1.0
    """A number to begin with."""
    most: float = 1000.0
    """The number is at most this ..."""
    least: float = 1e-6
    """... and at least this; 0 switches the term off."""
    source: str = "the project's plan"


TERMS: Mapping[str, Term] = MappingProxyType(
    {
        "temperature": Term(
            "logits divided by this number: tokens that win by far stop pulling",
            "counted",
            0.25,
            least=0.01,
            source="Progressive Cramming 2026",
        ),
        "margin": Term(
            "tokens that lead by this many logits count a tenth",
            "counted",
            1.0,
            least=0.01,
            source="Progressive Cramming 2026",
        ),
        "oracle": Term(
            "share of each answer token's loss that is divergence from predictions after its context as text",
            "counted",
            0.5,
            1.0,
            source="context distillation, Snell 2022",
        ),
        "semantic": Term("1 - cosine of each target token's embedding and the one that is expected", usual=0.3),
        "semantic_text": Term("1 - cosine of both embeddings' sums over the text", usual=0.3),
        "eos": Term("-log p of EOS once more, nats", usual=0.5),
        "length": Term("-log(1 - p(EOS)) before the end, nats", usual=0.5),
        "unlikelihood": Term(
            "-log(1 - p) of tokens that stood before in the text, nats", usual=0.5, source="Welleck et al. 2020"
        ),
        "token_distance": Term("nats for each unit of distance of slots to their nearest tokens", usual=0.01),
        "norm": Term("nats for each unit of slots' norm", usual=0.01, source="weight decay, Cramming 2025"),
        "travel": Term("nats for each unit of distance from the start", usual=0.01, source="L2-SP, Li et al. 2018"),
        "noise": Term("noise on slots, as a share of their norm", "read", 0.05, 1.0, source="NEFTune, Jain 2024"),
        **{
            f"scheduled_{name}": Term(
                f"the Generator reads its own words in place of the target's, {how}",
                "heard",
                usual,
                least=1.0,
                source="Bengio et al. 2015",
            )
            for name, usual, how in (
                ("linear", 30.0, "all after so many steps"),
                ("exponential", 30.0, "63 % after so many steps"),
                ("sigmoid", 8.0, "late and then fast: at 8, half after 17 steps"),
            )
        },
        "relations": Term(
            "contents as alike as their texts; couples the problems in flight, also after a stop",
            source="Bondarenko et al. 2026",
        ),
    }
)


def term_function(name: str) -> Callable:
    """The function of a term; for what it takes and gives see the file that has terms of its kind."""
    return getattr(import_module("dcm_helpers.objective"), name)


def require_terms(terms: tuple[tuple[str, float], ...]) -> None:
    """Check names and numbers of terms that were asked for.

    Raises:   InputError naming the one that cannot be, and what could
    """
    names = [name for name, _ in terms]
    heard = [name for name, value in terms if value and name in TERMS and TERMS[name].kind == "heard"]
    require(len(heard) <= 1, f"scheduled sampling has one schedule; name one of {' and '.join(heard)}")
    for name, value in terms:
        require(name in TERMS, f"there is no term {name!r}; expected some of: {', '.join(TERMS)}")
        require(names.count(name) == 1, f"the term {name!r} is given {names.count(name)} times; give it once")
        least, most = TERMS[name].least, TERMS[name].most
        fits = value == 0 or least <= value <= most
        expected = f"expected 0, which is off, or a number from {least:g} to {most:g}"
        require(fits, f"the term {name!r} has the number {value:g}; {expected}")
