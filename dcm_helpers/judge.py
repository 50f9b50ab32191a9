"""Judge trained Diffusers beside what needs none: ``python -m dcm_helpers.judge --help``."""

import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dcm_helpers.errors import require
from dcm_helpers.shell import FINISHED, command_line


@dataclass(frozen=True)
class Command:
    """Set Diffusers beside texts, task-level prompts, and contents that need none, on pairs that nobody learned from.

    The table is kept in the first Diffuser's folder.
    """

    diffusers: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of Diffusers that were trained on the same examples."""
    steps: tuple[int, ...] = (1, 8)
    """Steps from noise to content."""
    task_steps: int = 200
    """Steps of the task-level prompts that stand before texts."""
    seed: int = 0
    """Seed of the noise."""

    def __post_init__(self):
        require(bool(self.diffusers), "no Diffuser is named; give its folder")
        require(bool(self.steps) and min(self.steps) >= 1, f"steps is {self.steps}; expected numbers of at least 1")
        require(self.task_steps >= 1, f"task_steps is {self.task_steps}; expected at least 1")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 judged, 2 a mistake in the input, 130 stopped."""
    return command_line(judge, arguments, "")


def judge(arguments: Sequence[str] | None) -> int:
    """Judge all methods, print each as it is done, and keep the table in the first Diffuser's folder."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.judge")
    # imported here: it takes seconds, which --help should not
    import pandas as pd

    from dcm_helpers.config import OptimizerConfig
    from dcm_helpers.diffuser import load_diffuser, sides_of, trained_on
    from dcm_helpers.files import write_safely
    from dcm_helpers.ladder import from_diffuser, from_known, from_text, ladder_rows

    known = [trained_on(folder) for folder in command.diffusers]
    require(all(source == known[0][0] for source, _ in known), "these Diffusers did not learn from the same examples")
    rows: list[dict] = []
    for number, (folder, (source, config)) in enumerate(zip(command.diffusers, known, strict=True)):
        sides = sides_of(source, config)
        diffuser = load_diffuser(folder, sides.generator)
        topics = {example.problem.id: pair.topic or pair.id for pair, example in sides.judged}
        prompt = OptimizerConfig(K=diffuser.K, num_steps=command.task_steps)
        tables = [from_text(sides, prompt), from_known(sides)] if number == 0 else []
        for steps in command.steps if config.kind == "flow" else (1,):
            name = f"{folder.name}, {steps} step{'s' if steps > 1 else ''}"
            tables.append(from_diffuser(sides, name, diffuser, steps, command.seed))
        for method, table in itertools.chain.from_iterable(tables):
            found = ladder_rows(method, table, topics)
            rows += found
            print(f"{method}: exact {', '.join(row['exact'] for row in found)}", flush=True)
    write_safely(command.diffusers[0] / "judged.json", json.dumps(rows, indent=1).encode() + b"\n")
    print(pd.DataFrame(rows).to_string(index=False))
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
