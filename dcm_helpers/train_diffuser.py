"""Train a Diffuser: ``python -m dcm_helpers.train_diffuser --help``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal

import tyro

from dcm_helpers.config import DiffuserConfig
from dcm_helpers.errors import require
from dcm_helpers.shell import CONTINUES, FINISHED, STOPPED, command_line

if TYPE_CHECKING:
    from dcm_helpers.diffuser import Example, Examples, Scale
    from dcm_helpers.generator import Generator


@dataclass(frozen=True)
class Command:
    """Train a Diffuser, which makes contents from noise and a question, on what runs have found, or on a made world.

    The same command continues a training that was stopped, and ends with the same weights.
    """

    output: Path
    """Folder of the Diffuser."""
    runs: tuple[Path, ...] = ()
    """Run folders whose contents it learns from; all of one Generator and one number of slots."""
    facts: int = 0
    """In place of runs: passages that say what so many people have, made without end, and no contents."""
    model: str = "smollm2-135m"
    """Generator of the made world."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: Literal["auto", "float64", "float32", "bfloat16"] = "auto"
    """Precision of the Generator of the made world; a run has its own."""
    K: int = 8
    """Content slots of the made world."""
    start: str = "shared"
    """Where contents of the made world begin, as in run_phase1a: 'shared', 'learned', or a file of learn_start."""
    held: float = 0.25
    """Share of the topics, or articles, of runs that is held out."""
    judged: int = 64
    """Examples, of those that are held out, on which training is measured."""
    keep_every: float = 60.0
    """Seconds after which the state of training is kept; what came since is done again if it is killed."""
    diffuser: tyro.conf.OmitArgPrefixes[DiffuserConfig] = field(default_factory=DiffuserConfig)

    def __post_init__(self):
        require(bool(self.runs) != bool(self.facts), "give run folders (--runs) or a made world (--facts), one of them")
        require(0 < self.held < 1, f"held is {self.held}; expected a number between 0 and 1")
        for name in ("K", "judged"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")
        contents = self.diffuser.targets and self.facts
        require(not contents, "a made world has no contents to learn from; use --targets 0 --entropy 1 --kind direct")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 trained, 2 a mistake in the input, 130 stopped."""
    return command_line(train_diffuser, arguments, CONTINUES)


def train_diffuser(arguments: Sequence[str] | None) -> int:
    """Train until all steps are done, and say how well it does on what is held out."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.train_diffuser")
    # imported here: it takes seconds, which --help should not
    from dcm_helpers.diffuser import USUAL, Training, keep_settings, settings_of, train, usual_of
    from dcm_helpers.watch import stopping_on_interrupt

    generator, examples, held, scale, learned_from = of_runs(command) if command.runs else of_facts(command)
    keep_settings(command.output, settings_of(generator, command.diffuser, scale, learned_from))
    usual = usual_of([each.condition for each in examples.of_step(0, USUAL)])
    training = Training(generator, command.diffuser, scale, usual)
    size = sum(parameter.numel() for parameter in training.network.parameters())
    print(f"{size / 1e6:.1f} M weights, learned for {generator.name} from {learned_from}", file=sys.stderr)
    stop = Event()
    with stopping_on_interrupt(stop):
        measures = train(command.output, training, examples, held, stop, command.keep_every)
    if stop.is_set():
        print(f"Stopped. {CONTINUES}", file=sys.stderr)
        return STOPPED
    print(json.dumps(min((each["held_out"] | {"step": each["step"]} for each in measures), key=lambda m: m["nats"])))
    return FINISHED


def of_runs(command: Command) -> "tuple[Generator, Examples, list[Example], Scale, dict]":
    """What runs have found, some topics held out."""
    from dcm_helpers.diffuser import Kept, Scale, apart, contents_of, examples_of_runs
    from dcm_helpers.runs import open_run

    runs = [open_run(path) for path in command.runs]
    found, topics = examples_of_runs(runs, command.diffuser)
    learned, held = apart(topics, command.held, command.diffuser.seed)
    examples = [found[place] for place in learned]
    account = {
        "runs": [run.name for run in runs],
        "examples": len(examples),
        "held_out": len(held),
        "held_out_topics": sorted({topics[place] for place in held}),
    }
    scale = Scale.of(contents_of(examples))
    judged = [found[place] for place in held[: command.judged]]
    return runs[0].generator, Kept(examples, command.diffuser.seed), judged, scale, account


def of_facts(command: Command) -> "tuple[Generator, Examples, list[Example], Scale, dict]":
    """The made world; what is held out is made apart."""
    from dcm_helpers.config import GeneratorConfig
    from dcm_helpers.diffuser import Made, Scale, examples_of
    from dcm_helpers.generator import embedding_moments, load_generator
    from dcm_helpers.pairs import make_fact
    from dcm_helpers.stm import initial_content

    config, facts = command.diffuser, command.facts
    generator = load_generator(GeneratorConfig(command.model, command.device, command.dtype))
    held = examples_of(generator, [make_fact(i, facts, "held out") for i in range(command.judged)], config)
    mean = initial_content(generator, held[0].problem, command.K, command.start, config.seed, 0)
    made = Made(generator, config, lambda number: make_fact(number, facts, config.seed))
    account = {"facts": facts, "start": command.start}
    return generator, made, held, Scale(mean.float().cpu(), embedding_moments(generator)[1]), account


if __name__ == "__main__":
    sys.exit(main())
