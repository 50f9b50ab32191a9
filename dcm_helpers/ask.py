"""Ask a trained Diffuser: ``python -m dcm_helpers.ask --help``."""

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
    """Write an answer from pure noise: a Diffuser makes a content of it, and the frozen Generator reads that."""

    diffuser: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained Diffuser."""
    question: Annotated[str, tyro.conf.Positional]
    """What is asked."""
    context: Path | None = None
    """A text file with the passage, for a Diffuser that reads one."""
    steps: int = 8
    """Steps from noise to content."""
    guidance: float = 1.0
    """How much of the condition is taken: 1 as it is, more exaggerates it."""
    samples: int = 1
    """How many answers, each from noise of its own."""
    seed: int = 0
    """Seed of the noise."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""

    def __post_init__(self):
        for name in ("steps", "samples"):
            require(getattr(self, name) >= 1, f"{name} is {getattr(self, name)}; expected at least 1")
        require(bool(self.question.strip()), "the question is empty; ask something")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 answered, 2 a mistake in the input, 130 stopped."""
    return command_line(ask, arguments, "")


def ask(arguments: Sequence[str] | None) -> int:
    """Write what the Generator writes in each mode from each sample."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.ask")
    # imported here: it takes seconds, which --help should not
    from dcm_helpers.diffuser import generator_of, load_diffuser, trained_on
    from dcm_helpers.files import read_text
    from dcm_helpers.markup import printable
    from dcm_helpers.pairs import Pair

    _, config = trained_on(command.diffuser)
    needless = "this Diffuser reads the question alone; leave --context out"
    require(command.context is None or config.reads == "passage", needless)
    alike = "this Diffuser makes one content for a question, whatever the noise; leave --samples out"
    require(command.samples == 1 or config.kind == "flow", alike)
    context = read_text(command.context).strip() if command.context else ""
    generator = generator_of(command.diffuser, command.device)
    diffuser = load_diffuser(command.diffuser, generator)
    asked = Pair("asked", command.question.strip(), "", context)
    how = {"seed": command.seed, "steps": command.steps, "guidance": command.guidance}
    for number, texts in enumerate(diffuser.written(generator, asked, command.samples, **how), 1):
        before = f"{number}. " if command.samples > 1 else ""
        print("\n".join(f"{before}{mode}: {printable(text)}" for mode, text in texts.items()))
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
