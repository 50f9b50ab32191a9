"""Configuration of a run: frozen dataclasses, validated on creation.

Notebooks build them and the command line exposes them, one flag per field; the string below a field is its help text.
The environment variables ``DCM_...`` are read here and nowhere else.
"""

import dataclasses
import importlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import tyro

from dcm_helpers.errors import InputError, require

Value = TypeVar("Value", str, int, float, Path)

PROJECT = Path(__file__).resolve().parent.parent
"""Root of the project: a clone, since data and notebooks are not part of the installed package."""

StopRule = Literal["exact", "confident", "minimize"]
Schedule = Literal["constant", "cosine", "progressive"]
Initialization = Literal["tokens", "gaussian"]
Weighting = Literal["token", "view"]
Layers = Literal["trained", "shuffled", "random"]
Kind = Literal["question", "answer"]
"""What a text of a pair is."""

MODES: dict[str, Kind] = {"Q": "question", "A": "answer"}
"""By mode word, the kind of text that it asks for; records and tables have them in this order."""

PLATEAU_STEPS = 50
"""Stop rule `minimize` ends once the best loss has not improved by IMPROVEMENT in this many steps."""
STALL_STEPS = 200
"""An attempt that is not reconstructed is given up after this many steps without IMPROVEMENT."""
IMPROVEMENT = 0.01
"""Relative decrease of the best loss that counts as improvement."""
ADDED_LATER: frozenset[str] = frozenset()
"""Settings that earlier versions lack, by name: at their default they identify no run, so that old ones continue."""
CONFIDENCE = 0.5
"""Stop rule `confident`: probability that every target token, EOS included, must reach in every view."""


def parameter(name: str, default: Value) -> Value:
    """A notebook's parameter: the environment variable ``DCM_NAME`` in the type of the default, or the default."""
    variable, kind = f"DCM_{name.upper()}", type(default)
    text = os.environ.get(variable, "")
    try:
        value = kind(text) if text else default
        return value.expanduser() if isinstance(value, Path) else value
    except ValueError as error:
        raise InputError(f"{variable} is {text!r}; expected {kind.__name__}, for instance {default}") from error


def with_names(room: str, table: str) -> Callable[[str], str]:
    """The hint behind a setting's help: its default, and the names in a room's table, which help alone looks up."""

    def hint(default: str) -> str:
        names = getattr(importlib.import_module(f"dcm_helpers.{room}"), table)
        return f"(default: {default}; known names: {', '.join(names)})"

    return hint


@dataclass(frozen=True)
class GeneratorConfig:
    """Which frozen language model reads the STM, and where it runs."""

    model: Annotated[str, tyro.conf.arg(help_behavior_hint=with_names("generator", "PACKAGED"))] = "smollm2-135m"
    """A packaged one (fetched once), a hub id such as Qwen/Qwen2.5-0.5B, or a folder written by save_pretrained."""
    device: str = "auto"
    """'auto' (a GPU if there is one), 'cpu', 'cuda', 'cuda:1', 'mps', or 'sharded' (one Generator over all GPUs)."""
    dtype: Literal["auto", "float64", "float32", "bfloat16", "float16"] = "auto"
    """Its precision: 'auto' is bfloat16 where the device multiplies it natively, float32 elsewhere.
    Contents are always optimized in float32 or better."""
    compile: bool = False
    """Compile its blocks first: 20 to 60 s once, then faster steps. On a CPU it needs a C++ compiler."""
    layers: Layers = "trained"
    """A control: its blocks as they are, in another order, or with random weights at the scale of the trained ones."""


@dataclass(frozen=True)
class DataConfig:
    """Which question-answer pairs are used."""

    dataset: Annotated[str, tyro.conf.arg(help_behavior_hint=with_names("pairs", "SOURCES"))] = "pairs"
    """A known name, SQuAD's own .json, or a .jsonl file with one {"question": ..., "answer": ...} per line."""
    num_examples: int = 100
    """How many pairs to use; a larger data set is sampled, a smaller one is used whole."""
    data_seed: int = 0
    """Seed that chooses which pairs are sampled (and which arithmetic pairs are made)."""

    def __post_init__(self):
        require(self.num_examples >= 1, f"num_examples is {self.num_examples}; expected at least 1")


@dataclass(frozen=True)
class OptimizerConfig:
    """How one content is optimized. The defaults reconstruct fastest; the preset 'mission' has the mission's own."""

    # one line of a terminal each where possible: the help of a group must fit a screen
    K: int = 32
    """Content slots: vectors of one content (usual: 4 to 128)."""
    num_steps: int = 800
    """Steps that one restart may take at most."""
    num_restarts: int = 5
    """Restarts; the next is taken only after a failed one."""
    lr: float = 0.03
    """Learning rate of Adam; decides how far content travels."""
    stop_rule: StopRule = "confident"
    """'exact': every target token is the most probable one;
    'confident': and has probability 0.5 or more;
    'minimize': and the loss has leveled out (1 % in 50 steps)."""
    seed: int = 0
    """Seed of the starts."""
    batch_size: int | None = None
    """Problems at once; None fills the device. Rounding changes with it: in bfloat16 a pair may take other steps."""
    schedule: Schedule = "constant"
    """Learning rate in a restart: 'cosine' falls to 0, 'progressive' to a tenth after 40 % of the steps."""
    # the usual 0.999 remembers the first, largest gradients for longer than most problems take
    beta2: float = 0.9
    """Decay of Adam's average of squared gradients."""
    weighting: Weighting = "token"
    """What pulls equally: every target token, or every view."""
    init: Initialization = "tokens"
    """Start at K random tokens, or at noise of their scale."""
    eos_threshold: float | None = None
    """Tightens the stop rule: least probability of EOS."""
    loss_threshold: float | None = None
    """Tightens the stop rule: loss of a view, nats per token."""
    grad_clip: float | None = None
    """Largest norm of a problem's gradient; None: no limit."""
    token_distance: float = 0.0
    """Weight of slots' mean distance to tokens, nats per unit."""
    hold_norm: bool = False
    """Keep each slot's norm; only directions are optimized."""

    def __post_init__(self):
        require(self.K >= 1, f"K is {self.K}; a content needs at least 1 slot (usual values: 4 to 128)")
        for name in ("num_steps", "num_restarts", "batch_size"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; expected at least 1")
        require(self.lr > 0 and math.isfinite(self.lr), f"lr is {self.lr}; expected a positive number")
        require(
            0 <= self.token_distance < math.inf,
            f"token_distance is {self.token_distance}; expected 0 (off) or a positive weight",
        )
        require(0 <= self.beta2 < 1, f"beta2 is {self.beta2}; expected a number from 0 to below 1")
        for name, upper in (("eos_threshold", 1.0), ("loss_threshold", math.inf), ("grad_clip", math.inf)):
            value = getattr(self, name)
            require(
                value is None or 0 < value < upper,
                f"{name} is {value}; expected a number above 0" + (f" and below {upper}" if upper < math.inf else ""),
            )

    def lr_at(self, step: int) -> float:
        """Learning rate of the update that follows the measurement after ``step`` updates."""
        progress = step / self.num_steps
        if self.schedule == "cosine":
            return self.lr * 0.5 * (1 + math.cos(math.pi * progress))
        if self.schedule == "progressive":
            return self.lr * (1.0 if progress < 0.4 else 0.1)
        return self.lr


PRESETS: dict[str, dict] = {
    "default": {},
    "mission": {"lr": 1.0, "beta2": 0.999, "weighting": "view"},
    "progressive": {"schedule": "progressive", "lr": 0.05, "num_steps": 500, "beta2": 0.999, "weighting": "view"},
}
"""Named settings of :class:`OptimizerConfig`: what was measured to be fastest, the mission's own (lr 1.0), and the
mission's two-phase schedule (200 steps at 0.05, then 300 at 0.005)."""


def is_plain(name: str) -> bool:
    """Whether a name of a folder is one that every program takes for a name, and for one name."""
    return name.isprintable() and name == name.strip() and name[:1] not in ("", ".", "-") and not set(name) & set("/\\")


@dataclass(frozen=True)
class RunConfig:
    """One invocation of Phase 1a: which Generator, which pairs, how they are optimized, where results go."""

    generator: Annotated[GeneratorConfig, tyro.conf.arg(name="Generator")] = field(default_factory=GeneratorConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: Annotated[OptimizerConfig, tyro.conf.arg(name="optimization")] = field(default_factory=OptimizerConfig)
    stage: str = "2"
    """Stages, separated by commas: 1 (each text alone), 2 (question and answer from one content), 3 (decoding)."""
    output_dir: str = "results"
    """Folder that holds the run folders."""
    run_name: str | None = None
    """Name of the run folder; None makes one from the settings, so the same command finds its run."""
    distributed: str | None = None
    """Workers on several devices and hosts, as host:device:weight, for instance localhost:0:100,localhost:1:70."""
    ignore_gates: bool = False
    """Go on when a stage falls short of its gate."""
    num_validate: int | None = None
    """Stage 3 decodes this many converged pairs; None decodes all."""
    single_slot: bool = False
    """Stage 1 uses a single content slot in place of K."""
    mode_tokens: tuple[str, ...] = tuple(MODES)
    """The words whose fixed embeddings ask for the question and for the answer; one token each."""

    def __post_init__(self):
        require(
            bool(self.stages) and set(self.stages) <= {1, 2, 3},
            f"stage is {self.stage!r}; expected some of 1, 2, 3 separated by commas, for instance 1,2,3",
        )
        require(
            all(mode.strip() and mode.isprintable() for mode in self.mode_tokens)
            and len(set(self.mode_tokens)) == len(self.mode_tokens) == len(MODES),
            f"mode_tokens is {self.mode_tokens}; expected {len(MODES)} different words, for instance {' '.join(MODES)}",
        )
        require(
            self.num_validate is None or self.num_validate >= 1,
            f"num_validate is {self.num_validate}; expected at least 1",
        )
        require("\0" not in self.output_dir, f"output_dir is {self.output_dir!r}; expected a folder")
        if self.run_name is not None:
            require(
                is_plain(self.run_name),
                f"run_name is {self.run_name!r}; expected a plain folder name that starts with a letter or digit "
                "(use output_dir for its place)",
            )

    @property
    def modes(self) -> dict[str, Kind]:
        """By mode word, the kind of text that it asks for."""
        return dict(zip(self.mode_tokens, MODES.values(), strict=True))

    @property
    def stages(self) -> tuple[int, ...]:
        """The stages to run, in order."""
        parts = [part.strip() for part in self.stage.split(",")]
        return tuple(sorted({int(part) for part in parts})) if all(part in ("1", "2", "3") for part in parts) else ()

    def identity(self) -> dict:
        """The settings that decide results: two runs that differ here must not share a folder.

        Left out: where results go, which stages are asked for, and settings that change only speed.
        """
        settings = dataclasses.asdict(self)
        for name in ("output_dir", "run_name", "stage", "ignore_gates", "num_validate", "distributed"):
            del settings[name]
        for group, name in (("optimizer", "batch_size"), ("generator", "device"), ("generator", "compile")):
            del settings[group][name]
        for group in ("generator", "data", "optimizer"):
            default = type(getattr(self, group))()
            at_default = {name for name, value in settings[group].items() if value == getattr(default, name)}
            for name in at_default & ADDED_LATER:
                del settings[group][name]
        return settings
