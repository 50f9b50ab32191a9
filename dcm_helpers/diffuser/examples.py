"""What a Diffuser learns from: conditions, what is to be written, and contents that make it be written."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from dcm_helpers.config import DiffuserConfig
from dcm_helpers.diffuser.condition import States, condition_ids, states_of
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.learned import minibatches
from dcm_helpers.pairs import Pair
from dcm_helpers.runs import Run
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stm import Problem, joint_problems


@dataclass(frozen=True)
class Example:
    """A problem, the condition that it is to be solved from, and a content that solves it, where there is one."""

    problem: Problem
    condition: States
    content: Content | None = None


@dataclass(frozen=True)
class Scale:
    """What stands for 0 and 1 in a Diffuser: contents are standardized by those that it learns from."""

    mean: Content
    std: float

    def __post_init__(self):
        require(0 < self.std < float("inf"), f"contents differ by {self.std} from their mean; all are the same")

    @classmethod
    def of(cls, contents: Contents) -> "Scale":
        """The mean of each coordinate, and one standard deviation for all, so that distances keep their proportions."""
        mean = contents.float().mean(0)
        return cls(mean, (contents.float() - mean).square().mean().sqrt().item())

    def to(self, device: torch.device) -> "Scale":
        """The same on a device."""
        return Scale(self.mean.to(device), self.std)

    def standard(self, contents: Contents) -> Contents:
        """Contents in standard units."""
        return (contents - self.mean) / self.std

    def contents(self, standard: Contents) -> Contents:
        """What contents in standard units stand for."""
        return self.mean + self.std * standard


class Examples(ABC):
    """Examples by their places, each once before any comes again, in an order drawn anew each time.

    A step's depend on its number alone, so that training goes on where it stopped.
    """

    def __init__(self, count: int, seed: int = 0):
        self.count, self.seed = count, seed
        self.order: Iterator[list[int]] = iter(())
        self.next = (-1, 0)

    @abstractmethod
    def at(self, places: Sequence[int]) -> list[Example]:
        """The examples at some places."""

    def of_step(self, step: int, size: int) -> list[Example]:
        """The examples of a step of training; all of them where there are fewer than asked for."""
        if self.next != (step, size):
            order = minibatches(self.count, size, "diffuser examples", self.seed)
            self.order = itertools.islice(order, step, None)
        self.next = step + 1, size
        return self.at(next(self.order))


class Kept(Examples):
    """Examples that are all there."""

    def __init__(self, examples: Sequence[Example], seed: int = 0):
        super().__init__(len(examples), seed)
        self.examples = examples

    def at(self, places: Sequence[int]) -> list[Example]:
        return [self.examples[place] for place in places]


class Made(Examples):
    """Examples without contents whose pairs are made by number; each condition is read once, when it is first needed.

    Reading conditions is more than half of a step that learns through the Generator.
    """

    def __init__(
        self, generator: Generator, config: DiffuserConfig, pair: Callable[[int], Pair], count: int, seed: int = 0
    ):
        """Args:     pair  the pair of a number, counted from 0"""
        super().__init__(count, seed)
        self.generator, self.config, self.pair = generator, config, pair
        self.read: dict[int, Example] = {}

    def at(self, places: Sequence[int]) -> list[Example]:
        new = [place for place in places if place not in self.read]
        examples = examples_of(self.generator, [self.pair(place) for place in new], self.config)
        self.read |= zip(new, examples, strict=True)
        return [self.read[place] for place in places]


def examples_of(generator: Generator, pairs: Sequence[Pair], config: DiffuserConfig) -> list[Example]:
    """Examples of pairs, without contents, whose conditions are read now.

    Raises:   InputError as :func:`condition_ids` and :func:`states_of`
    """
    ids = [condition_ids(generator, pair, config.reads) for pair in pairs]
    problems, states = joint_problems(generator, pairs, config.modes), states_of(generator, ids, config.depth)
    return [Example(*each) for each in zip(problems, states, strict=True)]


def examples_of_runs(
    runs: Sequence[Run], config: DiffuserConfig, exact: bool = True
) -> tuple[list[Example], list[str]]:
    """Examples of what runs have found; of one pair, several where several were found.

    Args:     exact  take only contents that the decoder has confirmed;  False takes all, those of classes, too, which
              can write only one of their phrasings
    Returns:  the examples, and of each the topic or article of its pair; one without stands for itself
    Raises:   InputError if the runs have different Generators or numbers of slots, or have found nothing
    """
    generator, examples, topics = runs[0].generator, [], []
    for run in runs:
        fingerprint = run.folder.manifest["generator"]["fingerprint"]
        require(
            fingerprint == generator.fingerprint(),
            f"{run.name} was made with another Generator than {runs[0].name}; learn from runs of one",
        )
        found = [each for each in run.solutions if each.record["reconstructed"] or not exact]
        pairs = [run.pairs[each.problem.pair] for each in found]
        conditions = states_of(generator, [condition_ids(generator, p, config.reads) for p in pairs], config.depth)
        for solution, pair, states in zip(found, pairs, conditions, strict=True):
            views = tuple(view for view in solution.problem.views if view.kind in config.modes.values())
            examples.append(Example(replace(solution.problem, views=views), states, solution.content))
            topics.append(pair.topic or pair.id)
    sizes = sorted({len(each.content) for each in examples})
    require(bool(sizes), f"{', '.join(run.name for run in runs)} found no content that a Diffuser could learn from")
    require(len(sizes) == 1, f"these runs have contents of {sizes} slots; learn from runs of one size")
    return examples, topics


def apart(topics: Sequence[str], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Places of what is learned from, and of what is held out: whole topics, about a share of all places.

    Raises:   InputError if there is only one topic
    """
    names = sorted(set(topics))
    require(len(names) > 1, f"all pairs are of the topic {names[:1]}, and whole topics are held out; use more of them")
    shuffled = [names[place] for place in torch.randperm(len(names), generator=seeded("held out", seed)).tolist()]
    held = set(shuffled[: min(max(1, round(share * len(names))), len(names) - 1)])
    return tuple([i for i, topic in enumerate(topics) if (topic in held) == out] for out in (False, True))


def contents_of(examples: Sequence[Example]) -> Contents:
    """The contents of examples.

    Raises:   InputError if one has none
    """
    lacking = [each.problem.id for each in examples if each.content is None]
    require(not lacking, f"{len(lacking)} examples have no content, as {lacking[:1]}; use --targets 0 --kind direct")
    return torch.stack([each.content for each in examples])
