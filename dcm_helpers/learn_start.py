"""Learn the content that all problems start from: ``python -m dcm_helpers.learn_start --help``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from dcm_helpers.config import Compiling
from dcm_helpers.errors import require
from dcm_helpers.shell import FINISHED, command_line


@dataclass(frozen=True)
class Command:
    """Learn starts: one content for each number of slots, from which any problem needs fewer steps.

    All pairs are optimized from one start, and again from the mean of what was found, and so on. Each number of slots
    is stored once it is learned; the same command learns those that the file lacks.
    """

    output: Path
    """File of the starts (.safetensors); use it by --start FILE."""
    model: str = "smollm2-135m"
    """Generator: a name, hub id or folder, as in run_phase1a."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision of the Generator."""
    compile: Compiling = "auto"
    """Compile its blocks first, as in run_phase1a."""
    K: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """Content slots."""
    rounds: int = 4
    """Times that all pairs are optimized."""
    dataset: str = "training"
    """Pairs to learn from, as for run_phase1a; by default those that no study uses."""
    num_examples: int = 96
    """How many pairs to learn from."""
    num_steps: int = 300
    """Steps that one pair may take in a round at most; four times as many with 1 or 2 slots."""
    seed: int = 0
    """Seed of the first start."""

    def __post_init__(self):
        for name in ("rounds", "num_examples", "num_steps"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")
        require(bool(self.K) and min(self.K) >= 1, f"K is {self.K}; expected numbers of slots, 1 or more")
        require(
            self.output.suffix == ".safetensors", f"output is {str(self.output)!r}; expected a name in .safetensors"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 well, 2 a mistake in the input, 130 stopped."""
    return command_line(learn, arguments, "Starts that were learned are stored; the same command learns the others.")


def learn(arguments: Sequence[str] | None) -> int:
    """Learn what the file lacks, one number of slots after the other."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.learn_start")
    # imported here: it takes seconds, which --help should not
    from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig
    from dcm_helpers.generator import load_generator
    from dcm_helpers.learned import keep_start, kept_starts, rounds_of_learning
    from dcm_helpers.optimize import compile_where_it_pays
    from dcm_helpers.pairs import load_pairs
    from dcm_helpers.stm import joint_problems

    data = DataConfig(dataset=command.dataset, num_examples=command.num_examples)
    loaded = load_pairs(data)
    generator = load_generator(GeneratorConfig(command.model, command.device, command.dtype, command.compile))
    pairs = loaded.writable(generator).pairs
    problems = joint_problems(generator, pairs)
    learned_from = {
        "generator": command.model,
        "pairs": f"{loaded.source}, {len(pairs)}, {loaded.fingerprint()}",
        "rounds": command.rounds,
        "num_steps": command.num_steps,
        "seed": command.seed,
    }
    for K in command.K:
        if K in kept_starts(command.output, learned_from):
            continue
        steps = command.num_steps * (4 if K <= 2 else 1)
        config = OptimizerConfig(K=K, num_steps=steps, start="shared", seed=command.seed)
        if command.compile == "auto":
            compile_where_it_pays(generator, problems * command.rounds, config)
        for number, each in enumerate(rounds_of_learning(generator, problems, config, command.rounds), 1):
            exact = [result.steps_to_exact for result in each.results if result.reconstructed]
            mean = f"mean {sum(exact) / len(exact):.1f}, most {max(exact)} steps to exact"
            print(f"K={K}, round {number}: {len(exact)} of {len(problems)} reconstructed, {mean}", flush=True)
        keep_start(command.output, each.average, learned_from)
    print(json.dumps({"output": str(command.output), "K": sorted(kept_starts(command.output, learned_from))}))
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
