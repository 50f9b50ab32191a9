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

    Beside its table stands where a Diffuser's contents lie, and how many evaluations of optimization they save. What is
    found is kept in the first Diffuser's folder.
    """

    diffusers: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of Diffusers that were trained on the same examples."""
    steps: tuple[int, ...] = (1, 8)
    """Steps from noise to content."""
    task_steps: int = 200
    """Steps of the task-level prompts that stand before texts."""
    optimized: int = 24
    """Judged pairs that are optimized from its contents and from the learned start, until exact; 0: none."""
    start: str = "learned"
    """That start: the one that ships, a file, or 'shared' or 'tokens' where none was learned."""
    seed: int = 0
    """Seed of the noise."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""

    def __post_init__(self):
        require(bool(self.diffusers), "no Diffuser is named; give its folder")
        require(bool(self.steps) and min(self.steps) >= 1, f"steps is {self.steps}; expected numbers of at least 1")
        require(self.task_steps >= 1, f"task_steps is {self.task_steps}; expected at least 1")
        require(self.optimized >= 0, f"optimized is {self.optimized}; expected 0 or more")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 judged, 2 a mistake in the input, 130 stopped."""
    return command_line(judge, arguments, "What was judged is kept in the first Diffuser's folder.")


def judge(arguments: Sequence[str] | None) -> int:
    """Judge all methods, print each as it is done, and keep what was found in the first Diffuser's folder."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.judge")
    # imported here: it takes seconds, which --help should not
    import pandas as pd

    from dcm_helpers.config import OptimizerConfig
    from dcm_helpers.diffuser import described, load_diffuser, measures_of, sides_of, trained_on
    from dcm_helpers.files import write_safely
    from dcm_helpers.ladder import from_diffuser, from_known, from_text, ladder_rows, refutations
    from dcm_helpers.stm import start_hash
    from dcm_helpers.targets import evaluations_from, evaluations_over

    folders = [folder.expanduser() for folder in command.diffusers]
    known = [trained_on(folder, command.device) for folder in folders]
    one = all((source, config.writes) == (known[0][0], known[0][1].writes) for source, config in known)
    require(one, "these Diffusers did not learn from the same examples, or write other texts; judge them apart")
    found: dict[str, list[dict]] = {"ladder": [], "refutations": []}

    def keep(what: str, rows: list[dict]) -> None:
        found[what] += rows
        write_safely(folders[0] / "judged.json", json.dumps(found, indent=1).encode() + b"\n")

    counted = None
    for number, (folder, (source, config)) in enumerate(zip(folders, known, strict=True)):
        sides = sides_of(source, config)
        require(
            sides.split == described(folder)["learned_from"]["split"],
            f"what {folder} was trained on is split in another way today, so that it may have learned what would be "
            "judged; give it the runs and data as they were, or train anew",
        )
        diffuser = load_diffuser(folder, sides.generator)
        settings = OptimizerConfig(K=diffuser.K, start=command.start, seed=command.seed)
        learned, judged = ([example for _, example in some] for some in (sides.learned, sides.judged))
        some = judged[: command.optimized]
        if some:
            start_hash(sides.generator.name, command.start, diffuser.K)  # there must be such a start
        if (done := max((each["step"] for each in measures_of(folder)), default=0)) < config.steps:
            print(f"{folder} is judged at its best step so far: {done} of {config.steps} are done", file=sys.stderr)
        pairs = {example.problem.id: pair for pair, example in sides.judged}
        tables = [from_text(sides, OptimizerConfig(K=diffuser.K, num_steps=command.task_steps)), from_known(sides)]
        tables = tables if number == 0 else []
        ways = command.steps if config.kind == "flow" else (1,)
        names = {steps: f"{folder.name}, {steps} step{'s' if steps > 1 else ''}" for steps in ways}
        tables += [from_diffuser(sides, name, diffuser, steps, command.seed) for steps, name in names.items()]
        for method, table in itertools.chain.from_iterable(tables):
            rows = ladder_rows(method, table, pairs)
            keep("ladder", rows)
            print(f"{method}: exact {', '.join(row['exact'] for row in rows)}", flush=True)
        for steps, name in names.items():
            told = refutations(diffuser, learned, judged, steps, command.seed)
            if some:
                if counted is None:
                    counted = evaluations_from(sides.generator, some, settings, {command.start: None})
                samples = diffuser.sample(some, seed=command.seed, steps=steps)
                both = pd.concat([counted, evaluations_from(sides.generator, some, settings, {name: samples})])
                told["evaluations"] = evaluations_over(both, name, command.start)
            keep("refutations", [{"method": name, **{what: value.text(".3f") for what, value in told.items()}}])
    for rows in found.values():
        print(pd.DataFrame(rows).to_string(index=False))
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
