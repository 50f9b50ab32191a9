"""What a Diffuser learns from: conditions, what is to be written, and contents that make it be written."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from dcm_helpers.config import MODES, DiffuserConfig
from dcm_helpers.diffuser.condition import States, condition_ids, states_of
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator, embedding_moments
from dcm_helpers.learned import minibatches
from dcm_helpers.pairs import Pair
from dcm_helpers.runs import Run
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stm import Problem, View, initial_content, joint_problems

CHOSEN_ON = 0.15
"""Share of what is not judged on which the best step is chosen."""


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


def scale_without(generator: Generator, start: str, K: int) -> Scale:
    """What stands for 0 and 1 where no contents are there: a start, and how far embeddings of tokens lie apart.

    Raises:   InputError for a start that is drawn for each problem anew
    """
    require(start not in ("tokens", "gaussian"), f"start is {start!r}, one for each problem; expected one for all")
    anything = Problem("all", (View("", "", (generator.eos_id,), ()),))  # a start for all depends on no problem
    mean = initial_content(generator, anything, K, start, 0, 0)
    return Scale(mean.float(), embedding_moments(generator)[1])


class Examples(ABC):
    """Examples by their places, shuffled anew for every pass through them; what fills no step waits for the next pass.

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


class Listed(Examples):
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
) -> tuple[list[Example], list[Pair]]:
    """Examples of what runs have found, in the order of their data; of one pair, several where several were found.

    Args:     exact  take only contents that the decoder has confirmed;  False takes all, those of classes, too, which
              can write only one of their phrasings
    Returns:  the examples, and the pair of each
    Raises:   InputError if the runs have different Generators, numbers of slots or mode words, or have found nothing
    """
    generator, examples, pairs = runs[0].generator, [], []
    for run in runs:
        fingerprint = run.folder.manifest["generator"]["fingerprint"]
        require(
            fingerprint == generator.fingerprint(),
            f"{run.name} was made with another Generator than {runs[0].name}; learn from runs of one",
        )
        words = run.folder.manifest["identity"].get("mode_tokens", list(MODES))
        require(words == list(MODES), f"{run.name} has the mode words {words}; a Diffuser writes in {list(MODES)}")
        order = {name: place for place, name in enumerate(run.pairs)}
        solutions = Run(run.folder, generator).solutions
        found = [each for each in solutions if each.record["reconstructed"] or not exact]
        found.sort(key=lambda each: order[each.problem.pair])
        mine = [run.pairs[each.problem.pair] for each in found]
        conditions = states_of(generator, [condition_ids(generator, pair, config.reads) for pair in mine], config.depth)
        for solution, states in zip(found, conditions, strict=True):
            problem = solution.problem
            views = tuple(view for view in problem.views if view.kind in config.modes.values())
            name = problem.id if len(runs) == 1 else f"{run.name}/{problem.id}"
            examples.append(Example(replace(problem, id=name, views=views), states, solution.content))
        pairs += mine
    sizes = sorted({len(each.content) for each in examples})
    require(bool(sizes), f"{', '.join(run.name for run in runs)} found no content that a Diffuser could learn from")
    require(len(sizes) == 1, f"these runs have contents of {sizes} slots; learn from runs of one size")
    return examples, pairs


def topics_of(pairs: Sequence[Pair]) -> list[str]:
    """The topic or article of each pair; one without stands for itself."""
    return [pair.topic or pair.id for pair in pairs]


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
    return torch.stack([each.content.float() for each in examples])
