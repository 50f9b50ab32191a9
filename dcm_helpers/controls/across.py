"""Across views: does a content that was found for one text of a pair make the pair's other text likelier?"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import torch

from dcm_helpers.config import MODES, Kind
from dcm_helpers.inquiry import (
    ALONE_SIZES,
    NOT_SHOWN,
    Answer,
    Finding,
    K,
    Part,
    Question,
    Study,
    StudyConfig,
    Table,
    alone_part,
    apart,
    counted_slots,
    joint,
    others,
    settings,
    verdict,
)
from dcm_helpers.look import nats_after
from dcm_helpers.pairs import Pair, content_words
from dcm_helpers.runs import Solution
from dcm_helpers.stats import Estimate, Quantity, mean, ratio, ratio_of_sums
from dcm_helpers.stm import View

LEARNED_AGAIN = (1, K)
"""Those from which the other text is learned."""
TRACE = 0.1
"""Less than this share of what a text tells is called a trace."""
MODE_OF: dict[Kind, str] = {kind: mode for mode, kind in MODES.items()}
OTHER: dict[Kind, Kind] = {"question": "answer", "answer": "question"}


def alone(study: Study, size: int) -> dict[tuple[str, Kind], Solution]:
    """Contents for one text alone, by pair and kind of text."""
    return {(each.problem.pair, each.problem.views[0].kind): each for each in study.solutions(alone_part(size))}


def partners(study: Study) -> dict[str, dict[str, Pair]]:
    """For each pair others to compare with, by what they have in common.

    Returns:  'other': one whose question is of the same type and whose answer is about as long; 'topic': one of the
              same topic
    """
    by_id = study.run(alone_part(K)).pairs
    true = joint(study.config.num_examples)(study.generator, list(by_id.values()))
    of_answer = {problem.view("answer").target_ids: problem.pair for problem in true}
    exchange = others(lambda *_: true, 1)(study.generator, list(by_id.values()))
    of_type = {each.pair: by_id[of_answer[each.view("answer").target_ids]] for each in exchange}
    return {"other": of_type, "topic": next_of_topic([by_id[problem.pair] for problem in true])}


def next_of_topic(pairs: Sequence[Pair]) -> dict[str, Pair]:
    """For each pair the next one of its topic, after the last the first; a pair that is alone stands for itself."""
    by_topic: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: pair.id):
        by_topic.setdefault(pair.topic, []).append(pair)
    return {
        pair.id: following
        for those in by_topic.values()
        for pair, following in zip(those, [*those[1:], those[0]], strict=True)
    }


def asked_texts(pair: Pair, kind: Kind) -> dict[str, str]:
    """What is asked of a content for one text under the mode of the other: that text, and what shares more with it."""
    other = {"the other text": pair.text(OTHER[kind]), "the same text": pair.text(kind)}
    return other | ({"the text, then the other": f"{pair.question} {pair.answer}"} if kind == "question" else {})


def across(study: Study) -> pd.DataFrame:
    """What a text costs under its mode after a content for the pair's other text, another pair's, the text itself.

    The text stands where a content would, [mode | text | target], so that all is asked in one form.

    Returns:  columns K, found_for ('question' or 'answer'), pair, asked (what is asked under the other mode), tokens,
              and nats after 'own' content, that of another pair ('other', of its type; 'topic', of its topic), 'none',
              and after their texts ('own_text', 'other_text', 'topic_text')
    """
    generator, partners_of, rows = study.generator, partners(study), []
    pairs = study.run(alone_part(K)).pairs
    texts: dict[tuple, float] = {}
    for size in ALONE_SIZES:
        found = alone(study, size)
        for (name, kind), solution in found.items():
            compared = {"own": pairs[name]} | {how: those[name] for how, those in partners_of.items()}
            contents = [
                solution.content,
                *(found[each.id, kind].content for how, each in compared.items() if how != "own"),
            ]
            stacked, mode = torch.stack(contents).to(generator.device), MODE_OF[OTHER[kind]]
            for asked, text in asked_texts(pairs[name], kind).items():
                view = View.of(generator, text, mode)
                (costs,) = nats_after(generator, [view], stacked)
                entry = {"K": size, "found_for": kind, "pair": name, "asked": asked, "tokens": len(view.target_ids)}
                for how, given in compared.items():
                    place = (name, kind, asked, how)
                    if place not in texts:  # the same at all sizes
                        ids = generator.text_ids(given.text(kind))
                        ((texts[place],),) = nats_after(generator, [replace(view, given_ids=tuple(ids))], None)
                    entry[f"{how}_text"] = texts[place]
                rows.append({**entry, **dict(zip((*compared, "none"), costs, strict=True))})
    return pd.DataFrame(rows)


def learned_again(size: int, study: Study) -> pd.DataFrame:
    """How soon a text is learned from the content for the pair's other text, and from another pair's.

    Returns:  columns found_for ('question' or 'answer'), pair, start ('own' or 'other'), steps_to_exact (one more than
              were tried where it was not exact)
    """
    found, partner_of, rows = alone(study, size), partners(study)["other"], []
    optimizer = replace(study.run(alone_part(size)).optimizer, stop_rule="exact")
    for start in ("own", "other"):
        problems = [
            replace(
                found[name, OTHER[kind]].problem,
                initial=found[name if start == "own" else partner_of[name].id, kind].content,
            )
            for name, kind in found
        ]
        for result in study.make_solver(study.generator, optimizer).iterate(problems):
            steps = optimizer.num_steps + 1 if result.steps_to_exact is None else result.steps_to_exact
            kind = OTHER[result.problem.views[0].kind]
            rows.append({"found_for": kind, "pair": result.problem.pair, "start": start, "steps_to_exact": steps})
    return pd.DataFrame(rows)


def likelier(study: Study) -> list[Finding]:
    """How much of what a text tells about the other one a content for it tells.

    Another pair's content is the measure, since any content costs something; one of the same type of question, and one
    of the same topic, so that neither the form of an answer nor its subject is all that is told.
    """
    table, pairs, found = study.table("across"), study.run(alone_part(K)).pairs, []
    unlike = {name for name, pair in pairs.items() if not content_words(pair.question) & content_words(pair.answer)}
    for (size, kind), here in table.groupby(["K", "found_for"], sort=False):
        of = {asked: rows.set_index("pair") for asked, rows in here.groupby("asked")}
        other = of.pop("the other text")
        share, within = told_over_text(other), told_over_text(other, "topic")
        saved = [mean(other[how] - other["own"]) for how in ("other", "topic")]
        more = "yes" if within.low > 0 else "no more than of its topic"
        above = more if share.low > 0 else NOT_SHOWN
        verdict = ("a trace" if share.low > 0 else "no") if share.high < TRACE else above
        apart = other[other.index.isin(unlike)]
        found.append(
            Finding(
                "7g across views",
                f"nats of the {OTHER[kind]} that a content for the {kind} alone saves over another's, as a share of "
                f"those that the {kind} itself saves as text, K={size}",
                [Quantity("", share, percent=True)],
                [
                    Quantity("over another's of the same topic", within, percent=True),
                    *(
                        [Quantity("where they share no word", told_over_text(apart), percent=True)]
                        if len(apart)
                        else []
                    ),
                    Quantity("saved nats", saved[0]),
                    Quantity("by the text", mean(other["other_text"] - other["own_text"])),
                    Quantity("own content minus none", mean(other["own"] - other["none"])),
                    *[Quantity(f"asked for {asked}", told_over_text(rows), percent=True) for asked, rows in of.items()],
                ],
                Answer(
                    f"Does a content for the {kind} tell of the {OTHER[kind]}, K={size}?",
                    verdict,
                    f"no if the interval lies below {TRACE:.0%} and holds 0, a trace if it lies below and above 0; yes "
                    "if it reaches further and lies above 0, beside another's of the same topic, too",
                    None if verdict == "no" else max(each.p for each in saved) if verdict == "yes" else saved[0].p,
                ),
            )
        )
    return found


def told_over_text(rows: pd.DataFrame, how: str = "other") -> Estimate:
    """What contents save over others', as a share of what texts save over others'."""
    return ratio_of_sums(rows[how] - rows["own"], rows[f"{how}_text"] - rows["own_text"])


def sooner(size: int) -> Callable[[Study], list[Finding]]:
    """Whether a text is learned sooner from the content for the pair's other text."""

    def find(study: Study) -> list[Finding]:
        table, found = study.table(f"again-K{size}"), []
        fresh = study.per_problem(alone_part(size))
        kinds = {record["problem"]: record["views"][0]["kind"] for record in study.records(alone_part(size))}
        for kind, here in table.groupby("found_for", sort=False):
            steps = here.pivot(index="pair", columns="start", values="steps_to_exact") + 1
            random = fresh[fresh.index.map(kinds) == OTHER[kind]].set_index("pair")["steps_to_exact"] + 1
            sooner = ratio(steps["own"], steps["other"])
            found.append(
                Finding(
                    "7g across views",
                    f"steps to the {OTHER[kind]} from its {kind}'s content, over from another {kind}'s, K={size}",
                    [Quantity("", sooner)],
                    [Quantity("over from random tokens", ratio(steps["own"], random[steps.index]))],
                    Answer(
                        f"Is the {OTHER[kind]} learned sooner from its {kind}'s content, K={size}?",
                        verdict(1, "yes", "no, later", sooner),
                        "yes if the interval lies below 1, later if above",
                        sooner.p,
                    ),
                )
            )
        return found

    return find


def across_question(config: StudyConfig) -> Question:
    """Contents for one text alone."""
    everything = apart(joint(config.num_examples))
    parts = [alone_part(size) for size in ALONE_SIZES]
    return Question(
        parts=[
            Part(
                alone_part(size),
                f"one text alone, {counted_slots(size)}",
                settings(config, size, "confident"),
                everything,
            )
            for size in ALONE_SIZES
        ],
        tables=[
            Table("across", across, parts),
            *[Table(f"again-K{size}", partial(learned_again, size), [alone_part(size)]) for size in LEARNED_AGAIN],
        ],
        findings=[
            (["across"], likelier),
            *[([f"again-K{size}", alone_part(size)], sooner(size)) for size in LEARNED_AGAIN],
        ],
    )
