"""Make families of targets, and measure what can be learned of them: ``python -m dcm_helpers.learnability --help``."""

import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Annotated

import tyro

from dcm_helpers.config import NetworkConfig, Reads, TargetsConfig, with_names
from dcm_helpers.errors import require
from dcm_helpers.shell import CONTINUES, FINISHED, STOPPED, command_line


@dataclass(frozen=True)
class Command:
    """Which ways of making targets make targets that can be predicted for pairs that nobody learned from.

    Each family is a run folder with a content for every pair; whole topics or articles are held out. What is made and
    what is measured is kept, and the same command continues.
    """

    families: Annotated[tuple[str, ...], tyro.conf.arg(help_behavior_hint=with_names("targets", "FAMILIES"))] = (
        "apart",
        "shared",
        "near",
        "learned",
        "subspace",
        "refined-1",
        "refined-2",
        "refined-3",
    )
    """Families, in this order; one that follows another needs that one."""
    predictors: tuple[str, ...] = ("mean", "nearest pair", "ridge", "network", "end to end", "flow", "flow, mean")
    """What predicts contents from conditions: their mean, the most similar pair's, ridge regression; and one network
    that learns from targets, or through the Generator without targets, or from noise to targets: one sample, or the
    mean of eight."""
    reads: tuple[Reads, ...] = ("pair", "passage", "question")
    """Conditions: the whole pair, an upper bound; the passage and the question; the question alone."""
    targets: tyro.conf.OmitArgPrefixes[Annotated[TargetsConfig, tyro.conf.arg(name="targets")]] = field(
        default_factory=TargetsConfig
    )
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train_steps: int = 2500
    """Steps of 16 examples that a network is trained."""
    start: str = "learned"
    """Where contents begin that a network learns without targets: 'learned', 'shared', or a file."""

    def __post_init__(self):
        for name in ("families", "predictors", "reads"):
            require(bool(getattr(self, name)), f"{name} names nothing; leave it out, or name some")
        require(self.train_steps >= 1, f"train_steps is {self.train_steps}; expected at least 1")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    return command_line(learnability, arguments, CONTINUES)


def learnability(arguments: Sequence[str] | None) -> int:
    """Make what is missing of the families, one after the other, and measure what is missing of the table."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.learnability")
    # imported here: it takes seconds, which --help should not
    import pandas as pd

    from dcm_helpers.config import DataConfig, DiffuserConfig, GeneratorConfig
    from dcm_helpers.diffuser import condition_ids
    from dcm_helpers.files import write_safely
    from dcm_helpers.generator import load_generator
    from dcm_helpers.pairs import load_pairs
    from dcm_helpers.targets import (
        FAMILIES,
        KEYS,
        NETWORKS,
        PREDICTORS,
        family_row,
        kept_rows,
        key_of,
        make_family,
        split,
    )
    from dcm_helpers.watch import stopping_on_interrupt

    for what, known in (("families", FAMILIES), ("predictors", {**PREDICTORS, **NETWORKS})):
        unknown = [name for name in getattr(command, what) if name not in known]
        require(not unknown, f"{what} names {unknown[:1]}; expected some of {', '.join(known)}")
    config, stop = command.targets, Event()
    generator = load_generator(GeneratorConfig(config.model, config.device, config.dtype))
    for pair, reads in itertools.product(
        load_pairs(DataConfig(config.dataset, config.num_examples)).pairs, command.reads
    ):
        condition_ids(generator, pair, reads)  # what is to be read must be there, before hours go by
    path = Path(config.output_dir).expanduser() / "table.json"
    with stopping_on_interrupt(stop):
        for name, reads in itertools.product(command.families, command.reads):
            settings = DiffuserConfig(command.network, reads=reads, steps=command.train_steps)
            rows = kept_rows(path)
            done = {tuple(row[key] for key in KEYS) for row in rows}
            missing = [each for each in command.predictors if key_of(name, each, settings) not in done]
            if not missing or stop.is_set():
                continue
            run = make_family(FAMILIES[name], config, generator, stop)
            parts = split(run, reads) if not stop.is_set() else None
            for predictor in missing if parts else ():
                print(f"Measuring {name}, {predictor} from the {reads}", file=sys.stderr)
                row = family_row(run, parts, predictor, settings, command.start, stop)
                if row is None:
                    break
                rows.append(row)
                write_safely(path, json.dumps(rows, indent=1).encode() + b"\n")
    if stop.is_set():
        print(f"Stopped. {CONTINUES}", file=sys.stderr)
        return STOPPED
    print(pd.DataFrame(kept_rows(path)).to_string(index=False))
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
