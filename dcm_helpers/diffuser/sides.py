"""What a Diffuser learns from, what its best step is chosen on, and what it is judged on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dcm_helpers.config import DataConfig, DiffuserConfig, ExamplesConfig, GeneratorConfig
from dcm_helpers.diffuser.examples import (
    CHOSEN_ON,
    Example,
    Examples,
    Listed,
    Made,
    Scale,
    apart,
    contents_of,
    examples_of,
    examples_of_runs,
    scale_without,
    topics_of,
)
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.pairs import Pair, load_pairs, make_fact
from dcm_helpers.runs import open_run

MADE = 256
"""Pairs of a made world that are judged, and so many of those that are learned from stand for all of them."""
CHOSEN = 64
"""The best step is chosen on so many examples at most."""


@dataclass(frozen=True)
class Sides:
    """Examples of three kinds that share no topic, or no pair, with each other; in a made world, no passage."""

    generator: Generator
    examples: Examples
    """What is learned from, step by step."""
    learned: Sequence[tuple[Pair, Example]]
    """The same as pairs; of a made world some of them."""
    chosen_on: Sequence[Example]
    judged: Sequence[tuple[Pair, Example]]
    scale: Scale
    left_out: int = 0
    """Of runs, contents that are not exact: neither learned from nor judged."""

    @property
    def split(self) -> str:
        """A hash of who is judged and who the best step is chosen on: another split has another one."""
        names = [[each.problem.id for each in some] for some in (self.chosen_on, [each for _, each in self.judged])]
        return hashlib.sha256(repr(names).encode()).hexdigest()[:16]

    @property
    def account(self) -> dict:
        """How many there are, and which topics are judged."""
        topics = sorted({pair.topic for pair, _ in self.judged})
        return {
            "learned_from": self.examples.count,
            "chosen_on": len(self.chosen_on),
            "judged": len(self.judged),
            "judged_topics": topics if len(topics) <= len(self.judged) / 2 else len(topics),
            "left_out": self.left_out,
            "split": self.split,
        }


def sides_of(source: ExamplesConfig, config: DiffuserConfig) -> Sides:
    """The examples that a configuration names, whose conditions are read now.

    Args:     config  what is read of them, and what is to be written
    Raises:   InputError if runs, pairs or the Generator cannot be used, or one topic is all there is
    """
    if source.facts:
        return of_facts(source, config)
    left_out = 0
    if source.runs:
        runs = [open_run(path) for path in source.runs]
        generator = runs[0].generator
        examples, pairs = examples_of_runs(runs, config)
        left_out = sum(len(run.records(2)) for run in runs) - len(examples)
    else:
        generator = load_generator(GeneratorConfig(source.model, source.device, source.dtype))
        pairs = load_pairs(DataConfig(source.dataset, source.num_examples)).writable(generator).pairs
        examples = examples_of(generator, pairs, config)
    mine, chosen, judged = three_sides(pairs, source)
    learned = [examples[place] for place in mine]
    scale = Scale.of(contents_of(learned)) if source.runs else scale_without(generator, source.start, source.K)
    return Sides(
        generator,
        Listed(learned, config.seed),
        [(pairs[place], examples[place]) for place in mine],
        [examples[place] for place in chosen[:CHOSEN]],
        [(pairs[place], examples[place]) for place in judged],
        scale,
        left_out,
    )


def three_sides(pairs: Sequence[Pair], source: ExamplesConfig) -> tuple[list[int], list[int], list[int]]:
    """Places of the pairs that are learned from, that the best step is chosen on, and that are judged.

    Raises:   InputError if there are fewer than three topics, or pairs
    """
    names = topics_of(pairs) if source.apart == "topic" else [pair.id for pair in pairs]
    require(
        len(set(names)) >= 3,
        f"there are {len(set(names))} {source.apart}s; one is learned from, one chosen on, one judged: use more pairs",
    )
    rest, judged = apart(names, source.held, source.split_seed)
    mine, chosen = apart([names[place] for place in rest], CHOSEN_ON, source.split_seed)
    return [rest[place] for place in mine], [rest[place] for place in chosen], judged


def of_facts(source: ExamplesConfig, config: DiffuserConfig) -> Sides:
    """A made world; what is judged and what the best step is chosen on are drawn from streams of their own."""
    generator = load_generator(GeneratorConfig(source.model, source.device, source.dtype))

    def of_number(number: int) -> Pair:
        return make_fact(number, source.facts, config.seed)

    def made(count: int, stream: str) -> list[tuple[Pair, Example]]:
        pairs = [make_fact(number, source.facts, stream) for number in range(count)]
        return list(zip(pairs, examples_of(generator, pairs, config), strict=True))

    examples, some = Made(generator, config, of_number, source.passages, config.seed), range(min(MADE, source.passages))
    return Sides(
        generator,
        examples,
        list(zip(map(of_number, some), examples.at(some), strict=True)),
        [example for _, example in made(CHOSEN, "chosen on")],
        made(MADE, "judged"),
        scale_without(generator, source.start, source.K),
    )
