"""Train a Diffuser: ``python -m dcm_helpers.train_diffuser --help``."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Annotated

import tyro

from dcm_helpers.config import DiffuserConfig, ExamplesConfig
from dcm_helpers.errors import require
from dcm_helpers.shell import CONTINUES, FINISHED, STOPPED, command_line


@dataclass(frozen=True)
class Command:
    """Train a Diffuser, which makes contents from noise and a question.

    It learns from what runs have found, or, without contents, from pairs or a made world. The same command continues a
    training that was stopped, and ends with the same weights.
    """

    output: Path
    """Folder of the Diffuser."""
    examples: tyro.conf.OmitArgPrefixes[Annotated[ExamplesConfig, tyro.conf.arg(name="examples")]]
    diffuser: tyro.conf.OmitArgPrefixes[Annotated[DiffuserConfig, tyro.conf.arg(name="Diffuser")]] = field(
        default_factory=DiffuserConfig
    )
    keep_every: float = 60.0
    """Seconds after which the state of training is kept; what came since is done again if it is killed."""

    def __post_init__(self):
        lacking = self.diffuser.targets and not self.examples.runs
        require(not lacking, "without runs there are no targets; use --targets 0 --entropy 1 --kind direct, or --runs")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 trained, 2 a mistake in the input, 130 stopped."""
    return command_line(train_diffuser, arguments, CONTINUES)


def train_diffuser(arguments: Sequence[str] | None) -> int:
    """Train until all steps are done, and say how well it did at its best step, on what that was chosen on."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.train_diffuser")
    # imported here: it takes seconds, which --help should not
    from dcm_helpers.diffuser import (
        USUAL,
        Training,
        keep_settings,
        precision_to_go_on_in,
        settings_of,
        sides_of,
        train,
        usual_of,
    )
    from dcm_helpers.watch import stopping_on_interrupt

    folder, source = command.output.expanduser(), command.examples
    known = precision_to_go_on_in(folder) if source.dtype == "auto" else None
    sides = sides_of(dataclasses.replace(source, dtype=known or source.dtype), command.diffuser)
    learned_from = {**dataclasses.asdict(source), **sides.account}
    del learned_from["device"]  # a training may go on elsewhere
    keep_settings(folder, settings_of(sides.generator, command.diffuser, sides.scale, learned_from))
    usual = usual_of([each.condition for each in sides.examples.of_step(0, USUAL)])
    training, stop = Training(sides.generator, command.diffuser, sides.scale, usual), Event()
    size = sum(parameter.numel() for parameter in training.network.parameters())
    print(f"{size / 1e6:.1f} M weights, learned for {sides.generator.name}: {sides.account}", file=sys.stderr)
    with stopping_on_interrupt(stop):
        best = train(folder, training, sides.examples, sides.chosen_on, stop, command.keep_every)
    if stop.is_set():
        print(f"Stopped. {CONTINUES}", file=sys.stderr)
        return STOPPED
    print(json.dumps(best))
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
