"""How large a Diffuser is, what it reads, and how it is trained."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from dcm_helpers.config.names import MODES, Kind
from dcm_helpers.config.typed import require_types
from dcm_helpers.errors import require

Reads = Literal["question", "passage", "pair"]
"""The condition: the question; the question and its passage; or, as an upper bound, the question and its answer."""


@dataclass(frozen=True)
class NetworkConfig:
    """The network that estimates contents."""

    width: int = 256
    """Width of its slots."""
    blocks: int = 6
    """Blocks: slots attend to each other, then to the condition."""
    heads: int = 4
    """Heads of its attention; they share the width."""

    def __post_init__(self):
        require_types(self)
        for name in ("width", "blocks", "heads"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")
        require(
            self.width % (2 * self.heads) == 0,
            f"width is {self.width}; expected a multiple of twice the number of heads, {2 * self.heads}",
        )


@dataclass(frozen=True)
class ExamplesConfig:
    """What a Diffuser learns from: runs, whose contents are its targets; pairs alone; or a made world."""

    runs: tuple[str, ...] = ()
    """Run folders, all of one Generator and one number of slots."""
    dataset: str = ""
    """Pairs without contents, as for run_phase1a."""
    facts: int = 0
    """Made passages that say what so many people have, and a question about one of them."""
    passages: int = 10_000
    """How many such passages are learned from; what is read of them is kept in memory, about 0.1 MB each."""
    num_examples: int = 2000
    """How many pairs of a data set."""
    apart: Literal["topic", "pair"] = "topic"
    """What is judged shares no topic (or article) with what is learned from, or no pair."""
    held: float = 0.25
    """Share of the topics, or pairs, that is judged."""
    split_seed: int = 0
    """Seed that chooses them."""
    model: str = "smollm2-135m"
    """Generator, as in run_phase1a; runs have their own."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: Literal["auto", "float64", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the Generator; runs have their own."""
    K: int = 8
    """Content slots; runs have their own."""
    start: str = "shared"
    """Where contents begin that are learned without targets, as in run_phase1a: 'shared', 'learned', or a file."""

    def __post_init__(self):
        require_types(self)
        named = [name for name in ("runs", "dataset", "facts") if getattr(self, name)]
        require(
            len(named) == 1,
            f"{' and '.join(named) or 'nothing'} given to learn from; expected one of --runs, --dataset, --facts",
        )
        require(
            self.facts == 0 or self.facts >= 2, f"facts is {self.facts}; expected at least 2, so that one is asked for"
        )
        require(0 < self.held < 1, f"held is {self.held}; expected a number between 0 and 1")
        for name in ("num_examples", "passages", "K"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")


@dataclass(frozen=True)
class DiffuserConfig:
    """A Diffuser, and how it is trained."""

    network: Annotated[NetworkConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=NetworkConfig)
    kind: Literal["flow", "direct"] = "flow"
    """'flow': from noise, step by step; 'direct': the same network in one step, without noise."""
    reads: Reads = "question"
    """Its condition: the 'question'; the question and its 'passage'; or, as an upper bound, the whole 'pair'."""
    writes: Literal["both", "answer"] = "both"
    """What is to be written from its contents: question and answer, or the answer alone."""
    depth: float = 0.5
    """After which share of the Generator's layers the condition's states are read, beside its embeddings; 0: none."""
    targets: float = 1.0
    """Weight of the distance to stored contents; 0: none are needed."""
    entropy: float = 0.0
    """Weight of the cross-entropy of what the Generator is to write from the estimate, in nats per token."""
    heard: int = 8
    """Examples of a step whose cross-entropy is computed."""
    steps: int = 5000
    """Steps of training."""
    batch: int = 64
    """Examples of a step."""
    lr: float = 5e-4
    """Largest learning rate of AdamW: reached after a twentieth of the steps, then falling to a tenth."""
    decay: float = 0.01
    """Weight decay."""
    dropped: float = 0.1
    """Share of the examples that are trained without their condition, for guidance."""
    average: float = 0.999
    """How slowly the averaged weights follow; they are what is used."""
    seed: int = 0
    """Seed of the weights, and of all that is drawn in training."""

    def __post_init__(self):
        require_types(self)
        for name in ("steps", "batch", "heard"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")
        require(0 <= self.depth <= 1, f"depth is {self.depth}; expected a number from 0 to 1")
        for name in ("targets", "entropy", "decay"):
            require(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}; expected 0 or more")
        require(self.targets + self.entropy > 0, "targets and entropy are both 0; give one of them a weight")
        require(
            self.targets > 0 or self.kind == "direct",
            "targets is 0, and a flow is learned from stored contents; give targets a weight, or use --kind direct",
        )
        require(self.lr > 0, f"lr is {self.lr}; expected a positive number")
        for name in ("dropped", "average"):
            value = getattr(self, name)
            require(0 <= value < 1, f"{name} is {value}; expected a number from 0 to below 1")

    @property
    def modes(self) -> dict[str, Kind]:
        """By mode word, the texts that its contents are for."""
        return {mode: kind for mode, kind in MODES.items() if self.writes == "both" or kind == self.writes}

    def lr_at(self, step: int) -> float:
        """Learning rate of the update that follows so many updates."""
        rise = max(1, self.steps // 20)
        if step < rise:
            return self.lr * (step + 1) / rise
        return self.lr * (1 - 0.9 * (step - rise) / max(1, self.steps - rise))
