"""At which size a study is made, with which Generator; the sizes of those that are committed."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from dcm_helpers.config import PROJECT, Compiling, require_types
from dcm_helpers.errors import InputError, require
from dcm_helpers.files import is_there, parsed_json, read_text, write_safely

SIZE = "study.json"
"""The file in which a study says its size."""
WHERE = ("output_dir", "device", "compile")
"""Settings that say where a study is made, not what it is."""


@dataclass(frozen=True)
class StudyConfig:
    """Where a study is made, on what, and at which size."""

    title: str = "The reference study"
    """What its page is called."""
    repeats: str = "reference"
    """The committed study that its page is set beside, where that one has another Generator."""
    model: str = "smollm2-135m"
    """Generator: a name, hub id or folder, as in run_phase1a."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: Literal["float64", "float32", "bfloat16", "float16"] = "float32"
    """Precision of the Generator. The committed study is float32, which every machine evaluates alike."""
    compile: Compiling = "auto"
    """Compile the Generator's blocks, as in run_phase1a: 'auto' where a part is large enough."""
    questions: tuple[str, ...] = ()
    """Only these questions, as 'landscape'; all of them if none is named."""
    num_examples: int = 120
    """Pairs in all; parts take those of a sample that has every answer once, or its first few."""
    base: int | None = None
    """Pairs of the base part, the point of comparison; None takes all, also those whose answer another pair has."""
    controls: int = 24
    """Pairs that are compared with controls."""
    limit: int = 48
    """Pairs with long answers, and pairs that restate the question, at the limit of one slot."""
    landscape: int = 16
    """Pairs that are looked at closely."""
    few: int = 8
    """Pairs where each costs most."""
    restarts: int = 4
    """Solutions of each pair that is looked at closely."""
    capacities: tuple[int, ...] = (1, 2, 4, 16, 32, 64)
    """Slots of the capacity parts, beside the base's."""
    alone: tuple[int, ...] = (1, 4, 8)
    """Slots of contents for one text alone."""
    exchanged: tuple[int, ...] = (2, 8)
    """Slots at which all pairs are set beside pairs with exchanged answers."""
    exchanges: int = 3
    """Times that answers are exchanged among all pairs, so that every question meets so many answers of others."""
    far: bool = True
    """Look closely at contents found at ten times the learning rate, too."""
    near_tokens: tuple[float, ...] = (0.001, 0.01, 0.1)
    """Weights of the term that draws slots to their nearest tokens, in nats per unit of distance."""
    remedies: tuple[str, ...] = ()
    """Of the ablation only these remedies beside none; all of them if none is named. --questions remedies leaves out
    what else it asks."""
    shuffles: int = 1000
    """Shufflings of labels that groups of contents are compared with."""
    num_steps: int = 300
    """Steps that one restart may take at most; twice as many with 1 or 2 slots. Half with other layers, for several
    phrasings, and with one slot where texts are to be more than can be written in time; a third with remedies."""
    output_dir: str = str(PROJECT / "results" / "reference")
    """Folder of the study."""

    def __post_init__(self):
        require_types(self)
        numbers = ("num_examples", "controls", "limit", "landscape", "few", "restarts", "exchanges", "shuffles")
        for name in (*numbers, "num_steps"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")
        require(self.base is None or self.base >= 1, f"base is {self.base}; expected at least 1")
        require(bool(self.alone), "alone is empty; expected some numbers of slots")
        for name in ("capacities", "alone", "exchanged"):
            values = getattr(self, name)
            require(all(value > 0 for value in values), f"{name} is {values}; expected numbers of slots, 1 or more")
        near = self.near_tokens
        require(all(value > 0 for value in near), f"near_tokens is {near}; expected weights above 0")


SIZES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "reference": {},
        "replication": {
            "title": "The reference study, repeated",
            "model": "gemma3-270m",
            "dtype": "bfloat16",
            "questions": ("success", "landscape", "variety", "prefixes", "across", "sharing", "replaced", "task"),
            "base": 24,
            "capacities": (),
            "alone": (4, 8),
            "exchanges": 1,
            "far": False,
            "output_dir": str(PROJECT / "results" / "replication"),
        },
        "ablation": {
            "title": "What remedies are worth",
            "questions": ("remedies", "oracle", "subspace"),
            "output_dir": str(PROJECT / "results" / "ablation"),
        },
        "ablation-repeated": {
            "title": "What remedies are worth, repeated",
            "repeats": "ablation",
            "model": "gemma3-270m",
            "dtype": "bfloat16",
            "questions": ("remedies",),
            "remedies": ("oracle", "noise", "held_norm", "mlp"),
            "output_dir": str(PROJECT / "results" / "ablation-repeated"),
        },
    }
)
"""By name, what committed studies have that differs from the defaults."""


def keep_size(config: StudyConfig) -> StudyConfig:
    """Write down a study's size in its folder: what differs from the defaults.

    A command that asks only some questions, or names only some remedies, of a study that has more does not make it
    smaller.

    Returns:  the settings to go on with: all remedies of the study, whose rows are one table, and the questions asked
    """
    path, asked = Path(config.output_dir) / SIZE, config.questions
    if is_there(path):
        before = size_of(path.parent)
        both = {name: united(getattr(before, name), getattr(config, name)) for name in ("questions", "remedies")}
        config = dataclasses.replace(config, **both)
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    differing = {
        field.name: values[field.name]
        for field in dataclasses.fields(config)
        if field.name not in WHERE and values[field.name] != field.default
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safely(path, json.dumps(differing, indent=2).encode() + b"\n")
    return dataclasses.replace(config, questions=asked)


def united(some: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """All that are named; where nothing is named all are meant, and stay so."""
    return tuple(dict.fromkeys((*some, *others))) if some and others else ()


def size_of(folder: Path) -> StudyConfig:
    """The size of the study in a folder; of one that does not say, that of the reference study.

    Raises:   InputError if what it says is no size
    """
    path, expected = folder / SIZE, "the study's command writes it anew"
    if not is_there(path):
        return StudyConfig(output_dir=str(folder))
    values = parsed_json(read_text(path), str(path), expected)
    known = {field.name for field in dataclasses.fields(StudyConfig)} - set(WHERE)
    require(isinstance(values, dict), f"{path} holds {values!r}, no settings; {expected}")
    unknown = sorted(values.keys() - known)
    require(not unknown, f"{path} has unknown settings: {', '.join(unknown)}; {expected}")
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        return StudyConfig(**settings, output_dir=str(folder))
    except InputError as error:
        raise InputError(f"{path}: {error}; {expected}") from error
