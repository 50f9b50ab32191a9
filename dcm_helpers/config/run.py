"""One run: which Generator, which pairs, how they are optimized, where results go."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from dcm_helpers.config.names import ADDED_LATER, MODES, Compiling, Kind, Layers
from dcm_helpers.config.optimizer import OptimizerConfig
from dcm_helpers.config.typed import require_types, with_names
from dcm_helpers.errors import require


@dataclass(frozen=True)
class GeneratorConfig:
    """Which frozen language model reads the STM, and where it runs."""

    model: Annotated[str, tyro.conf.arg(help_behavior_hint=with_names("fetched", "PACKAGED"))] = "smollm2-135m"
    """A packaged one (fetched once), a hub id such as Qwen/Qwen2.5-0.5B, or a folder written by save_pretrained.
    'tiny' is for tests."""
    device: str = "auto"
    """'auto' (a GPU if there is one), 'cpu', 'cuda', 'cuda:1', 'mps', or 'sharded' (one Generator over all GPUs)."""
    dtype: Literal["auto", "float64", "float32", "bfloat16", "float16"] = "auto"
    """Its precision: 'auto' is the run's own where it is continued, else what is measured to be faster here, once.
    Contents are always optimized in float32 or better."""
    compile: Compiling = "auto"
    """Compile its blocks, some 20 s once, then faster steps; a CPU needs a C++ compiler. 'auto': where so many steps
    are to be expected here that it pays."""
    layers: Layers = "trained"
    """A control: its blocks as they are, in another order, or with random weights at the scale of the trained ones."""

    def __post_init__(self):
        require_types(self)


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
        require_types(self)
        require(self.num_examples >= 1, f"num_examples is {self.num_examples}; expected at least 1")


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
    task_steps: int = 0
    """Steps of a task-level prompt that stage 2 compares answers with, found for half of the pairs and used on the
    others; 0: none. It knows no terms, clip or parameterization."""
    single_slot: bool = False
    """Stage 1 uses a single content slot in place of K."""
    mode_tokens: tuple[str, ...] = tuple(MODES)
    """The words whose fixed embeddings ask for the question and for the answer; one token each."""

    def __post_init__(self):
        require_types(self)
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
        require(self.task_steps >= 0, f"task_steps is {self.task_steps}; expected 0 (none) or more")
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
        settings = {**dataclasses.asdict(self), "optimizer": self.optimizer.stored()}
        for name in ("output_dir", "run_name", "stage", "ignore_gates", "num_validate", "distributed"):
            del settings[name]
        for group, name in (("generator", "device"), ("generator", "compile")):
            del settings[group][name]
        if not dict(self.optimizer.terms).get("relations"):  # which compares the problems that are in flight
            del settings["optimizer"]["batch_size"]
        # at its default, what earlier versions lack identifies no run, so that theirs continue
        for group, default in (
            (settings, {each.name: each.default for each in dataclasses.fields(RunConfig)}),
            (settings["generator"], dataclasses.asdict(GeneratorConfig())),
            (settings["data"], dataclasses.asdict(DataConfig())),
            (settings["optimizer"], OptimizerConfig().stored()),
        ):
            for name in ADDED_LATER & group.keys():
                if group[name] == default.get(name):
                    del group[name]
        return settings
