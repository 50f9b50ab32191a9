"""The pairs of a run: from a named data set or a file, sampled, with an account of what was left out and why."""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dcm_helpers.config import MODES, PROJECT, DataConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.pairs.arithmetic import make_arithmetic
from dcm_helpers.pairs.jsonl import read_jsonl
from dcm_helpers.pairs.pair import Pair, is_blank
from dcm_helpers.pairs.squad import SQUAD_HUB_ID, read_squad_file, read_squad_hub

if TYPE_CHECKING:
    from dcm_helpers.generator import Generator

Rows = Iterable[Pair | None]
"""What a loader gives; None stands for an unanswerable question."""


@dataclass(frozen=True)
class Source:
    """A data set with a name of its own."""

    rows: Callable[[], Rows]
    account: str
    """What it is reported by."""


SHIPPED, LONG, TRAINING = (PROJECT / "data" / f"{name}.jsonl" for name in ("pairs", "long", "training"))
SOURCES: dict[str, Source] = {
    "pairs": Source(partial(read_jsonl, SHIPPED), "pairs (shipped)"),
    "long": Source(partial(read_jsonl, LONG), "long (shipped, answers of 30 to 80 tokens)"),
    "training": Source(partial(read_jsonl, TRAINING), "training (shipped, pairs that no study uses)"),
    "squad_v2": Source(read_squad_hub, f"{SQUAD_HUB_ID} (validation split)"),
    "arithmetic": Source(make_arithmetic, "arithmetic (generated)"),
}
"""Data sets by name. To add one: a file beside this one with a function that gives pairs, and a row here."""
FORMATS: dict[str, Callable[[Path], Rows]] = {".jsonl": read_jsonl, ".json": read_squad_file}
"""Loaders of a user's file, by the ending of its name."""


@dataclass
class Dataset:
    """The pairs of a run and an account of what the source held."""

    source: str
    pairs: list[Pair]
    available: int
    """Usable pairs in the source, before sampling."""
    left_out: dict[str, int] = field(default_factory=dict)
    """How many rows were skipped, by reason: 'unanswerable', 'empty', 'duplicate'."""
    unwritable: dict[str, str] = field(default_factory=dict)
    """Pairs that a Generator cannot write, by id, each with the reason."""

    def fingerprint(self) -> str:
        """SHA-256 over every field of every pair, in order."""
        text = json.dumps([asdict(pair) for pair in self.pairs], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def __str__(self) -> str:
        skipped = [f"{count} {reason}" for reason, count in self.left_out.items() if count]
        if self.unwritable:
            first = next(iter(self.unwritable))
            skipped.append(
                f"{len(self.unwritable)} that the Generator cannot write ({first!r}: {self.unwritable[first]})"
            )
        account = f"{len(self.pairs)} of {self.available} pairs from {self.source}"
        return f"{account}; left out: {', '.join(skipped)}" if skipped else account

    def writable(self, generator: "Generator") -> "Dataset":
        """What is left of the pairs once those are left out that a Generator can never write; see :meth:`without`."""
        return self.without({pair.id: why_unwritable(generator, pair) for pair in self.pairs}, generator.name)

    def without(self, reasons: Mapping[str, str], name: str) -> "Dataset":
        """What is left of the pairs once some are left out.

        Args:     reasons  why a Generator cannot write a pair, by its id; '' where it can;  name  of the Generator
        Raises:   InputError if none is left
        """
        found = {pair: reason for pair, reason in reasons.items() if reason}
        left = [pair for pair in self.pairs if pair.id not in found]
        if not left:
            first, reason = next(iter(found.items()))
            raise InputError(
                f"{name} can write none of the {len(self.pairs)} pairs from {self.source}; for instance {first!r}: "
                f"{reason}. Use other pairs, another Generator, or fewer slots."
            )
        return replace(self, pairs=left, unwritable={**self.unwritable, **found})


def why_unwritable(generator: "Generator", pair: Pair) -> str:
    """What keeps a Generator from writing one of a pair's texts, paraphrases included; '' where nothing does."""
    for kind in MODES.values():
        for text in (pair.text(kind), *pair.paraphrases(kind)):
            if reason := generator.why_unwritable(text):
                return f"its {kind} {reason}"
    return ""


def load_pairs(config: DataConfig) -> Dataset:
    """Load the pairs that a configuration names.

    The pairs come in an order shuffled by ``data_seed``, and the first ``num_examples`` are taken: a smaller set is the
    beginning of a larger one, and the first pairs of a run represent it.

    Raises:   InputError naming the file and line, what was expected, and the way out
    """
    rows, source = open_source(config.dataset)
    left_out = {"unanswerable": 0, "empty": 0, "duplicate": 0}
    pairs: list[Pair] = []
    seen_texts: set[tuple[str, str]] = set()
    seen_ids: set[str] = set()
    for pair in rows:
        if pair is None:
            left_out["unanswerable"] += 1
            continue
        texts = (pair.question, pair.answer)
        if any(map(is_blank, texts)):
            left_out["empty"] += 1
        elif texts in seen_texts:
            left_out["duplicate"] += 1
        else:
            require(
                pair.id not in seen_ids,
                f"{source}: id {pair.id!r} stands for two different pairs; ids must be unique, since results are "
                "filed under them. Rename one, or drop the id field to have ids made.",
            )
            seen_texts.add(texts)
            seen_ids.add(pair.id)
            pairs.append(pair)
    if not pairs:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "it is empty"
        raise InputError(f"{source} holds no usable pair ({reasons}); expected at least one question with an answer")
    random.Random(config.data_seed).shuffle(pairs)
    return Dataset(source, pairs[: config.num_examples], len(pairs), left_out)


def open_source(name: str) -> tuple[Rows, str]:
    """The rows of a data set, and what it is reported by.

    Raises:   InputError if it is neither a known name nor a file of a known format
    """
    if name in SOURCES:
        return SOURCES[name].rows(), SOURCES[name].account
    path = Path(name).expanduser()
    require(
        path.is_file(),
        f"dataset {name!r} is neither a known name nor a file here; expected {', '.join(SOURCES)}, or a file that ends "
        f"in {' or '.join(FORMATS)}",
    )
    require(path.suffix in FORMATS, f"dataset {name!r} ends in {path.suffix!r}; expected {' or '.join(FORMATS)}")
    return FORMATS[path.suffix](path), path.name
