"""Prefixes: how much of a text does one vector hold, if the text is given to it token by token?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from dcm_helpers.config import DataConfig
from dcm_helpers.generator import Generator
from dcm_helpers.inquiry import BITS, Answer, Finding, Pieces, Question, Study, StudyConfig, Table, grouped, settings
from dcm_helpers.look import nats_after
from dcm_helpers.optimize import Result
from dcm_helpers.pairs import Pair, load_pairs
from dcm_helpers.stats import Quantity, mean, share
from dcm_helpers.stm import Problem, View, problem_id

MODE = "A"
"""What passages are asked for by."""
PUBLISHED_LR = 0.1
"""That of the published capacity, which this is set beside."""


IN_FLIGHT = 4
"""Passages that grow side by side: a step of few rows costs hardly less than one of more, and a stop loses them all."""


@dataclass(frozen=True)
class Held:
    """What of a text one content holds."""

    problem: Problem
    """The longest beginning of the text that was written exactly, with the content that writes it as its start."""
    whole: bool
    """Whether the text ended before the content was full."""
    steps: int
    """Steps in all, those of the token that was too much included."""


def beginning(text: View, count: int) -> View:
    """The first tokens of a text as a target after which anything may follow."""
    return replace(text, target_ids=text.target_ids[:count])


def longest_prefixes(solve: Callable[..., Iterator[Result]], texts: Sequence[Problem]) -> Iterator[Held]:
    """The longest beginning of each text that a content can be made to write.

    One token at first; each time that the beginning is written exactly by greedy decoding, the next token is added, and
    optimization goes on from the content that was found. A text is given up when one restart's steps do not suffice.

    Args:     solve  finds contents, and goes on with what a result leads to, as ContentOptimizer's ``iterate`` does;
              texts  problems of different ids with one view each, whose target ends in EOS, never asked for
    Source:   progressive cramming (ICML 2026), whose capacity is this length
    """
    whole = {text.id: text.views[0] for text in texts}
    held = {text.id: Held(replace(text, views=(beginning(text.views[0], 0),)), False, 0) for text in texts}

    def longer(problem: Problem) -> Problem:
        text = whole[problem.id]
        return replace(problem, views=(beginning(text, len(problem.views[0].target_ids) + 1),))

    def growing(result: Result) -> list[Problem]:
        """Ask for one token more than is held by now."""
        found = held[result.problem.id]
        return [longer(found.problem)] if result.reconstructed and not found.whole else []

    for result in solve([longer(each.problem) for each in held.values()], then=growing):
        name, (view,) = result.problem.id, result.problem.views
        held[name] = replace(held[name], steps=held[name].steps + result.steps_total)
        if result.reconstructed:
            ended = len(view.target_ids) == len(whole[name].target_ids) - 1
            held[name] = replace(held[name], problem=replace(result.problem, initial=result.content), whole=ended)
        if held[name].whole or not result.reconstructed:
            yield held[name]


def passages(generator: Generator, pairs: list[Pair]) -> list[Problem]:
    """Texts longer than a vector holds: the contexts of two pairs of a topic each, asked for as an answer is.

    With a mode, so that the vector is not the first position: a Llama makes of that one a sink of attention, from which
    11 of 24 passages do not get as far as their first token in 100 steps of SmolLM2.
    """
    by_topic = grouped(pairs, lambda pair: pair.topic)
    return [
        Problem(problem_id(one.id, "passage"), (View.of(generator, f"{one.context} {other.context}", MODE),), one.id)
        for _, those in sorted(by_topic.items())
        for one, other in zip(those[::2], those[1::2], strict=False)
    ]


def prefixes(study: Study) -> Pieces:
    """The longest beginning of each passage that one vector holds; a piece is some passages.

    Returns:  of columns passage, tokens (of the longest beginning written exactly), bits (what it costs after BOS, or
              EOS where the Generator has none, alone), gained (bits less that it costs after its content), whole
              (whether that is the whole passage), steps
    """
    texts = passages(study.generator, load_pairs(DataConfig(dataset="long")).pairs)[: study.config.few]
    pieces = [texts[first : first + IN_FLIGHT] for first in range(0, len(texts), IN_FLIGHT)]
    return {f"{piece[0].id} to {piece[-1].id}": partial(of_passages, study, piece) for piece in pieces}


def of_passages(study: Study, texts: list[Problem]) -> pd.DataFrame:
    """The rows of some passages."""
    config, generator, rows = study.config, study.generator, []
    optimizer = settings(config, 1, "exact", num_steps=config.num_steps // 2, lr=PUBLISHED_LR)
    for found in longest_prefixes(partial(study.solve, optimizer), texts):
        (view,) = found.problem.views
        # a Generator without a BOS of its own has EOS before a text
        alone = replace(view, mode_ids=(), given_ids=() if generator.bos_ids else (generator.eos_id,))
        without = within = 0.0
        if view.target_ids:
            ((without,),) = nats_after(generator, [alone], None)
            ((within, _),) = nats_after(generator, [view], found.problem.initial[None].to(generator.device))
        rows.append(
            {
                "passage": found.problem.id,
                "tokens": len(view.target_ids),
                "bits": without * BITS,
                "gained": (without - within) * BITS,
                "whole": found.whole,
                "steps": found.steps,
            }
        )
    return pd.DataFrame(rows).sort_values("passage")


def how_much(study: Study) -> list[Finding]:
    """How much of a text one vector holds, at least: other starts, or more steps, may bring more."""
    table, most = study.table("prefixes"), study.config.num_steps // 2
    tokens = mean(table["tokens"])
    return [
        Finding(
            "6 capacity",
            "tokens of a passage that one vector holds: the longest beginning written exactly by greedy decoding",
            [Quantity("", tokens)],
            [
                Quantity("standard deviation", float(np.std(table["tokens"], ddof=1))),
                Quantity("bits that they cost without content", mean(table["bits"])),
                Quantity("bits that the content saves of them", mean(table["gained"])),
                Quantity("steps in all", mean(table["steps"])),
                Quantity("passages that ended first:", share(table["whole"]), percent=True),
            ],
            Answer(
                "How much text does one vector hold?",
                f"{tokens.value:.0f} tokens on average",
                "the mean of the longest beginnings, each found by adding a token whenever all before it are exact, "
                f"and given up when {most} steps from there do not suffice",
            ),
        )
    ]


def prefixes_question(config: StudyConfig) -> Question:
    """Passages at one slot."""
    return Question(tables=[Table("prefixes", prefixes, [], ("few", "num_steps"))], findings=[(["prefixes"], how_much)])
