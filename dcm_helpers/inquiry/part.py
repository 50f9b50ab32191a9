"""A part of a study: some problems, and how their contents are optimized."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dcm_helpers.config import MODES, DataConfig, GeneratorConfig, Kind, Layers, OptimizerConfig, RunConfig, StopRule
from dcm_helpers.generator import Generator
from dcm_helpers.inquiry.size import StudyConfig
from dcm_helpers.pairs import Pair
from dcm_helpers.stm import Problem, exchanges, joint_problems, restarts_of, restated, views_apart

Item = TypeVar("Item")
K, LR, FAR_LR = 8, 0.03, 0.3
"""Slots and learning rate of the base part, and a learning rate ten times as high."""
OTHER_MODES = {"X": "question", "Y": "answer"}
"""Mode words that share nothing with what they ask for."""
Problems = Callable[[Generator, list[Pair]], list[Problem]]


@dataclass(frozen=True)
class Part:
    """Some problems, and how their contents are optimized."""

    name: str
    asks: str
    """What the part is for, in a few words."""
    optimizer: OptimizerConfig
    problems: Problems
    layers: Layers = "trained"
    baselines: bool = False
    """With baselines, and with stage 3 after it, as a run of the command line has them."""
    dataset: str = "pairs"
    """Where its pairs are from."""

    def data(self, config: StudyConfig) -> DataConfig:
        """The pairs that its problems are made of."""
        return DataConfig(dataset=self.dataset, num_examples=config.num_examples)

    def run_config(self, config: StudyConfig) -> RunConfig:
        """The configuration of the part's run folder."""
        return RunConfig(
            generator=GeneratorConfig(config.model, config.device, config.dtype, config.compile, self.layers),
            data=self.data(config),
            optimizer=self.optimizer,
            stage="2,3" if self.baselines else "2",
            ignore_gates=True,
            output_dir=config.output_dir,
            run_name=self.name,
        )


def settings(config: StudyConfig, slots: int = K, rule: StopRule = "minimize", **changes) -> OptimizerConfig:
    """The optimizer's settings of a part: those of the base but for what is named."""
    steps = config.num_steps * (2 if slots <= 2 else 1)
    return OptimizerConfig(
        **{"K": slots, "num_steps": steps, "num_restarts": 1, "stop_rule": rule, "lr": LR, **changes}
    )


def size_part(slots: int) -> str:
    """The part that has true pairs at so many slots."""
    return "base" if slots == K else f"K{slots}" if slots <= 2 else f"exact-K{slots}"


def counted_slots(slots: int) -> str:
    """So many slots in words."""
    return f"{slots} slot{'s' if slots > 1 else ''}"


def true_part(slots: int, variant: str = "") -> str:
    """The part that has every true pair at so many slots, found until exact, as those with exchanged answers are."""
    return f"exact-{variant}K{slots}"


def alone_part(slots: int) -> str:
    """The part that has a content of so many slots for each text alone."""
    return f"confident-alone-K{slots}"


def long_part(slots: int) -> str:
    """The part that has pairs with long answers at so many slots."""
    return "long-K1" if slots == 1 else f"exact-long-K{slots}"


def long_settings(config: StudyConfig, slots: int) -> OptimizerConfig:
    """How pairs with long answers are optimized: with one slot for so few steps that not all become exact.

    Where all do, nothing is told of a limit: of pairs that restate the question 62 % are exact after 150 steps, and
    83 % after 300 (SmolLM2).
    """
    if slots == 1:
        return settings(config, 1, num_steps=config.num_steps // 2)
    return settings(config, slots, "exact", num_steps=config.num_steps)


def grouped(items: Iterable[Item], kind: Callable[[Item], Hashable]) -> dict[Hashable, list[Item]]:
    """Things by kind, in the order in which they come."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(kind(item), []).append(item)
    return groups


def next_of(pairs: Sequence[Pair], kind: Callable[[Pair], Hashable]) -> dict[str, Pair]:
    """For each pair the next one of its kind, after the last the first; those that are alone are left out."""
    return {
        pair.id: following
        for those in grouped(sorted(pairs, key=lambda pair: pair.id), kind).values()
        if len(those) > 1
        for pair, following in zip(those, [*those[1:], those[0]], strict=True)
    }


def sample_of(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """The first pairs of an order that takes topics in turn and no answer twice; all pairs, in theirs, for None."""
    if count is None:
        return list(pairs)
    once = {pair.answer: pair for pair in reversed(pairs)}  # of equal answers the first pair's
    by_topic = grouped([pair for pair in pairs if once[pair.answer] is pair], lambda pair: pair.topic)
    longest = max(map(len, by_topic.values()))
    in_turn = [group[turn] for turn in range(longest) for group in by_topic.values() if turn < len(group)]
    return in_turn[:count]


def joint(count: int | None, modes: Mapping[str, Kind] = MODES) -> Problems:
    """Question and answer from one content, of the first pairs of the sample, or of all."""
    return lambda generator, pairs: joint_problems(generator, sample_of(pairs, count), modes)


def restarted(problems: Problems, count: int) -> Problems:
    """The same problems from some other starts."""
    return lambda generator, pairs: [
        again for problem in problems(generator, pairs) for again in restarts_of(problem, count)
    ]


def with_one_restart(problems: Problems) -> Problems:
    """Each problem from the base's start, and beside it once more from that of the first restart."""
    again = restarted(problems, 1)
    return lambda generator, pairs: [
        each for both in zip(problems(generator, pairs), again(generator, pairs), strict=True) for each in both
    ]


def each_view(problems: Problems) -> Problems:
    """Each view as a problem of its own, mode and all: two halves of a content that share nothing."""
    return lambda generator, pairs: [view for problem in problems(generator, pairs) for view in views_apart(problem)]


def others(problems: Problems, number: int) -> Problems:
    """Each question with another's answer, of a question of its type and about as long; of some exchanges, one."""

    def make(generator: Generator, pairs: list[Pair]) -> list[Problem]:
        kinds = {pair.id: pair.question_type for pair in pairs}
        found = problems(generator, pairs)
        return exchanges(found, number, [kinds[problem.pair] for problem in found])[-1]

    return make


def restating(problems: Problems) -> Problems:
    """Each question with an answer that first repeats it: a case in which both texts share most of what they hold."""
    return lambda generator, pairs: [restated(generator, problem) for problem in problems(generator, pairs)]


def long_pairs(count: int) -> Problems:
    """Of the pairs with long answers, so many with the fewest tokens."""

    def make(generator: Generator, pairs: list[Pair]) -> list[Problem]:
        found = joint_problems(generator, pairs)
        return sorted(found, key=lambda problem: sum(len(view.target_ids) for view in problem.views))[:count]

    return make
