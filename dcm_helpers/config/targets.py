"""Which pairs get targets for a Diffuser, and how the targets are found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dcm_helpers.config.optimizer import OptimizerConfig
from dcm_helpers.config.run import DataConfig, GeneratorConfig, RunConfig
from dcm_helpers.config.typed import require_types
from dcm_helpers.errors import require


@dataclass(frozen=True)
class TargetsConfig:
    """Which pairs get targets, and how targets are found."""

    model: str = "smollm2-135m"
    """Generator: a name, hub id or folder, as in run_phase1a."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: Literal["auto", "float64", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the Generator."""
    dataset: str = "pairs"
    """Question-answer pairs, as for run_phase1a."""
    num_examples: int = 800
    """How many pairs."""
    K: int = 8
    """Content slots."""
    num_steps: int = 300
    """Steps that one content may take at most."""
    output_dir: str = "results/targets"
    """Folder of the families and of the table."""

    def __post_init__(self):
        require_types(self)
        for name in ("num_examples", "K", "num_steps"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")

    def run_config(self, name: str, optimizer: Mapping) -> RunConfig:
        """The configuration of a family's run folder.

        Args:     optimizer  the family's settings, where they are others than these
        """
        settings = {"K": self.K, "num_steps": self.num_steps, "num_restarts": 1, **optimizer}
        return RunConfig(
            generator=GeneratorConfig(self.model, self.device, self.dtype),
            data=DataConfig(self.dataset, self.num_examples),
            optimizer=OptimizerConfig(**settings),
            ignore_gates=True,
            output_dir=self.output_dir,
            run_name=name,
        )
