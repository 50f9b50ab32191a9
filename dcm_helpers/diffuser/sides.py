"""What a Diffuser learns from, what its best step is chosen on, and what it is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass

from dcm_helpers.config import DataConfig, DiffuserConfig, ExamplesConfig, GeneratorConfig
from dcm_helpers.diffuser.examples import (
    Example,
    Examples,
    Kept,
    Made,
    Scale,
    apart,
    contents_of,
    examples_of,
    examples_of_runs,
)
from dcm_helpers.generator import Generator, embedding_moments, load_generator
from dcm_helpers.pairs import Pair, load_pairs, make_fact
from dcm_helpers.runs import open_run
from dcm_helpers.stm import initial_content

CHOSEN_ON = 0.15
"""Share of what is not judged on which the best step is chosen."""
MADE = 256
"""Pairs of a made world that are judged, and so many of those that are learned from stand for all of them."""
CHOSEN = 64
"""The best step is chosen on so many examples at most."""


@dataclass(frozen=True)
class Sides:
    """Examples of three kinds that share no topic, or no pair, with each other."""

    generator: Generator
    examples: Examples
    """What is learned from, step by step."""
    learned: Sequence[tuple[Pair, Example]]
    """The same as pairs; of a made world some of them."""
    chosen_on: Sequence[Example]
    judged: Sequence[tuple[Pair, Example]]
    scale: Scale

    @property
    def account(self) -> dict:
        """How many there are, and which topics are judged."""
        topics = sorted({pair.topic for pair, _ in self.judged})
        return {
            "learned_from": self.examples.count,
            "chosen_on": len(self.chosen_on),
            "judged": len(self.judged),
            "judged_topics": topics if len(topics) <= len(self.judged) / 2 else len(topics),
        }


def sides_of(source: ExamplesConfig, config: DiffuserConfig) -> Sides:
    """The examples that a configuration names, whose conditions are read now.

    Args:     config  what is read of them, and what is to be written
    Raises:   InputError if runs, pairs or the Generator cannot be used, or one topic is all there is
    """
    if source.facts:
        return of_facts(source, config)
    if source.runs:
        runs = [open_run(path) for path in source.runs]
        generator = runs[0].generator
        examples, _ = examples_of_runs(runs, config)
        known = {name: pair for run in runs for name, pair in run.pairs.items()}
        pairs = [known[each.problem.pair] for each in examples]
    else:
        generator = load_generator(GeneratorConfig(source.model, source.device, source.dtype))
        pairs = load_pairs(DataConfig(source.dataset, source.num_examples)).writable(generator).pairs
        examples = examples_of(generator, pairs, config)
    names = [(pair.topic or pair.id) if source.apart == "topic" else pair.id for pair in pairs]
    rest, judged = apart(names, source.held, source.split_seed)
    mine, chosen = apart([names[place] for place in rest], CHOSEN_ON, source.split_seed)
    learned = [examples[rest[place]] for place in mine]
    scale = Scale.of(contents_of(learned)) if source.runs else scale_without(generator, source, examples[0])
    return Sides(
        generator,
        Kept(learned, config.seed),
        [(pairs[rest[place]], examples[rest[place]]) for place in mine],
        [examples[rest[place]] for place in chosen[:CHOSEN]],
        [(pairs[place], examples[place]) for place in judged],
        scale,
    )


def of_facts(source: ExamplesConfig, config: DiffuserConfig) -> Sides:
    """A made world; what is judged and what the best step is chosen on are drawn from streams of their own."""
    generator = load_generator(GeneratorConfig(source.model, source.device, source.dtype))

    def of_number(number: int) -> Pair:
        return make_fact(number, source.facts, config.seed)

    def made(count: int, stream: int | str) -> list[tuple[Pair, Example]]:
        pairs = [make_fact(number, source.facts, stream) for number in range(count)]
        return list(zip(pairs, examples_of(generator, pairs, config), strict=True))

    judged = made(MADE, "judged")
    return Sides(
        generator,
        Made(generator, config, of_number, source.passages, config.seed),
        made(min(MADE, source.passages), config.seed),
        [example for _, example in made(CHOSEN, "chosen on")],
        judged,
        scale_without(generator, source, judged[0][1]),
    )


def scale_without(generator: Generator, source: ExamplesConfig, example: Example) -> Scale:
    """What stands for 0 and 1 where no contents are there: a start, and how far embeddings of tokens lie apart."""
    mean = initial_content(generator, example.problem, source.K, source.start, 0, 0)
    return Scale(mean.float(), embedding_moments(generator)[1])
