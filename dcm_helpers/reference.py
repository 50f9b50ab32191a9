"""Make the reference study, or its replication, resumably and in parts: ``python -m dcm_helpers.reference --help``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Literal

import tyro

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import require
from dcm_helpers.files import is_there
from dcm_helpers.inquiry import SIZE, SIZES, StudyConfig, size_of
from dcm_helpers.shell import CONTINUES, FINISHED, STOPPED, command_line, given

# the rooms are imported where they are used: they take seconds, which --help should not


@dataclass(frozen=True)
class Command:
    """Make the reference study: contents in parts, what is measured on them, findings.

    Everything finished is stored at once, and the same command continues.

    Without a GPU it takes hours; --plan says what each part needs.

    Several at once share the work: each leaves alone what another is making.
    """

    study: tyro.conf.OmitArgPrefixes[StudyConfig] = field(default_factory=StudyConfig)
    preset: Literal[tuple(SIZES)] = "reference"  # type: ignore[valid-type]
    """Size to start from; flags beside it win.
    'reference': SmolLM2, all questions;
    'replication': whether what was found holds with Gemma 3 270M, whose own terms apply;
    'ablation': what remedies are worth (python -m dcm_helpers.ablate);
    'ablation-repeated': the best of them with Gemma 3 270M."""
    parts: tuple[str, ...] = ()
    """Only these parts, and what can be measured then; all of them if none is named."""
    plan: bool = False
    """Only say what each part needs, and what it took where it is there."""
    findings: bool = False
    """Only print the answers and findings of what is there."""
    squad: str | None = None
    """A SQuAD 2.0 file: only run all stages on 100 of its pairs with all defaults, beside the study.
    The study keeps ids and figures of it, no text."""


def size_to_begin_with(arguments: Sequence[str] | None, usual: str) -> StudyConfig:
    """The size that flags change: that of the preset that is named, or of the folder's study, or else the usual one."""
    preset, folder = given(arguments, "preset", ""), given(arguments, "output-dir", "")
    if not preset and folder and is_there(Path(folder) / SIZE):
        return size_of(Path(folder))
    return StudyConfig(**SIZES.get(preset or usual, {}))


def show_findings(config: StudyConfig) -> None:
    """Print the answers and findings of what is there."""
    from dcm_helpers.inquiry import Study
    from dcm_helpers.study import answers_table, findings_table, markdown

    study = Study(Path(config.output_dir), config=config)
    require(study.path.is_dir(), f"there is no study in {study.path}; the same command without --findings makes one")
    print(f"{markdown(answers_table(study))}\n\n{markdown(findings_table(study))}")


def show_plan(config: StudyConfig) -> None:
    """Print what each part needs, and what it took where it is there."""
    from dcm_helpers.generator import load_generator
    from dcm_helpers.inquiry import Study
    from dcm_helpers.study import plan

    generator = load_generator(GeneratorConfig(config.model, config.device, config.dtype))
    table = plan(Study(Path(config.output_dir), generator, config=config))
    shown = table.round(2).astype(object).where(table.notna(), "")
    print("no parts: its tables need none" if shown.empty else shown.to_string(index=False))
    unknown = table["minutes"].isna().sum()
    rest = f", and {unknown} parts whose time is not known before the first is made" if unknown else ""
    print(f"in all {table['minutes'].sum() / 60:.1f} h{rest}; {table['MB'].sum():.1f} MB of contents")


def make(command: Command) -> bool:
    """Make what was asked for, and print the answers. Returns False after a stop."""
    from dcm_helpers.optimize import ContentOptimizer
    from dcm_helpers.study import answers_table, make_squad, make_study, markdown, write_page
    from dcm_helpers.watch import stopping_on_interrupt

    stop = Event()
    with stopping_on_interrupt(stop):
        if command.squad is not None:
            return make_squad(command.squad, command.study, ContentOptimizer, stop)
        study = make_study(command.study, ContentOptimizer, command.parts, stop)
    if study is not None:
        write_page(study)
        print(markdown(answers_table(study)))
    return study is not None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    return command_line(reference, arguments, CONTINUES)


def reference(
    arguments: Sequence[str] | None, usual: str = "reference", program: str = "reference", purpose: str | None = None
) -> int:
    """Do or show what was asked for.

    Args:     usual  the size to start from unless another is named;  program, purpose  what --help calls the command,
              and says that it is for
    """
    default = Command(study=size_to_begin_with(arguments, usual), preset=usual)
    name = f"python -m dcm_helpers.{program}"
    command = tyro.cli(Command, args=arguments, default=default, prog=name, description=purpose)
    from dcm_helpers.study import require_parts

    require_parts(command.study, command.parts)
    if command.findings:
        show_findings(command.study)
        return FINISHED
    from transformers.utils import logging

    logging.disable_progress_bar()
    if command.plan:
        show_plan(command.study)
    elif not make(command):
        print(f"Stopped. {CONTINUES}", file=sys.stderr)
        return STOPPED
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
