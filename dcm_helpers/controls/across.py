"""Across views: does a content that was found for one text of a pair make the pair's other text likelier?"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import torch

from dcm_helpers.config import MODES, Kind
from dcm_helpers.generator import Generator
from dcm_helpers.inquiry import (
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
    counted_slots,
    each_view,
    joint,
    next_of,
    others,
    settings,
    steps_or_spent,
    verdict,
)
from dcm_helpers.look import nats_and_first
from dcm_helpers.pairs import Pair
from dcm_helpers.runs import Solution
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content
from dcm_helpers.stats import Estimate, Quantity, mean, ratio, ratio_of_sums
from dcm_helpers.stm import View

LEARNED_AGAIN = (1, K)
"""Those from which the other text is learned."""
OTHER_TEXT = "the other text"
"""What is asked of a content for one text: the pair's other one."""
TRACE = 0.1
"""Less than this share of what a text tells is called a trace."""
MODE_OF: dict[Kind, str] = {kind: mode for mode, kind in MODES.items()}
OTHER: dict[Kind, Kind] = {"question": "answer", "answer": "question"}


def alone(study: Study, size: int) -> dict[tuple[str, Kind], Solution]:
    """Contents for one text alone, by pair and kind of text."""
    return {(each.problem.pair, each.problem.views[0].kind): each for each in study.solutions(alone_part(size))}


def partners(study: Study) -> dict[str, dict[str, Pair]]:
    """For pairs others to compare with, by what they have in common.

    Returns:  'other': one whose question is of the same type and whose answer is about as long; 'topic': one of the
              same topic; 'alike': one of the same topic and type, for those pairs that have one
    """
    by_id = study.run(alone_part(study.config.alone[0])).pairs
    true = joint(study.config.num_examples)(study.generator, list(by_id.values()))
    of_answer = {problem.view("answer").target_ids: problem.pair for problem in true}
    exchange = others(lambda *_: true, 1)(study.generator, list(by_id.values()))
    of_type = {each.pair: by_id[of_answer[each.view("answer").target_ids]] for each in exchange}
    sample = [by_id[problem.pair] for problem in true]
    return {
        "other": of_type,
        "topic": next_of(sample, lambda pair: pair.topic),
        "alike": next_of(sample, lambda pair: (pair.topic, pair.question_type)),
    }


def shuffled(generator: Generator, text: str) -> tuple[int, ...]:
    """The tokens of a text in an order drawn from the text: what its words tell without their order."""
    ids = generator.text_ids(text)
    return tuple(ids[place] for place in torch.randperm(len(ids), generator=seeded("shuffled words", text)).tolist())


def asked_texts(pair: Pair, kind: Kind) -> dict[str, str]:
    """What is asked of a content for one text under the mode of the other: that text, and what shares more with it."""
    other = {OTHER_TEXT: pair.text(OTHER[kind]), "the same text": pair.text(kind)}
    return other | ({"the text, then the other": f"{pair.question} {pair.answer}"} if kind == "question" else {})


def across(study: Study) -> pd.DataFrame:
    """What a text costs under its mode after a content for the pair's other text, other contents, and texts.

    A text stands where a content would, [mode | text | target], so that all is asked in one form.

    Returns:  columns K, found_for ('question' or 'answer'), pair, asked (what is asked under the other mode), tokens,
              and nats: after its 'own' content; those of other pairs, see :func:`partners`; the 'start' of its own;
              'none'; each pair's text ('own_text', ...), and its tokens in another order ('own_words', ...); of all
              these the nats of the first token alone ('own_first', ...)
    """
    generator, partners_of, rows = study.generator, partners(study), []
    pairs = study.run(alone_part(study.config.alone[0])).pairs
    of_texts: dict[tuple, dict[str, float]] = {}
    for size in study.config.alone:
        found = alone(study, size)
        starts = dict(zip(found, study.starts(alone_part(size), list(found.values())), strict=True))
        for (name, kind), solution in found.items():
            compared = {"own": pairs[name]} | {how: those[name] for how, those in partners_of.items() if name in those}
            contents = {how: found[pair.id, kind].content for how, pair in compared.items()}
            contents["start"] = starts[name, kind].to(solution.content)
            for asked, text in asked_texts(pairs[name], kind).items():
                view, some = View.of(generator, text, MODE_OF[OTHER[kind]]), set(compared)
                if asked != OTHER_TEXT:  # what shares more is only set beside another's
                    some = {"own", "other"}
                if (name, kind, asked) not in of_texts:  # the same at all sizes
                    texts = {how: pair.text(kind) for how, pair in compared.items() if how in some}
                    of_texts[name, kind, asked] = after_texts(generator, view, texts)
                some_contents = {how: each for how, each in contents.items() if how in {*some, "start"}}
                costs = after_contents(generator, view, some_contents)
                entry = {"K": size, "found_for": kind, "pair": name, "asked": asked, "tokens": len(view.target_ids)}
                rows.append(entry | of_texts[name, kind, asked] | costs)
    everything = pd.DataFrame(rows)
    return everything.reindex(columns=everything.columns.union(list(partners_of), sort=False))


def after_contents(generator: Generator, view: View, contents: dict[str, Content]) -> dict[str, float]:
    """What a target, and its first token, cost after each content and after none, by name."""
    stacked = torch.stack(list(contents.values())).to(generator.device)
    (costs,) = nats_and_first(generator, [view], stacked)
    return by_name((*contents, "none"), costs)


def after_texts(generator: Generator, view: View, texts: dict[str, str]) -> dict[str, float]:
    """What a target, and its first token, cost after each text, and after its tokens in another order."""
    given = {f"{how}_text": tuple(generator.text_ids(text)) for how, text in texts.items()}
    given |= {f"{how}_words": shuffled(generator, text) for how, text in texts.items()}
    views = [replace(view, given_ids=ids) for ids in given.values()]
    return by_name(tuple(given), [cost for (cost,) in nats_and_first(generator, views, None)])


def by_name(names: Sequence[str], costs: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Nats of targets by name, and of first tokens."""
    whole = {name: cost for name, (cost, _) in zip(names, costs, strict=True)}
    return whole | {f"{name}_first": first for name, (_, first) in zip(names, costs, strict=True)}


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
        for result in study.solve(optimizer, problems):
            steps = steps_or_spent(result.steps_to_exact, optimizer)
            kind = OTHER[result.problem.views[0].kind]
            rows.append({"found_for": kind, "pair": result.problem.pair, "start": start, "steps_to_exact": steps})
    return pd.DataFrame(rows)


def likelier(study: Study) -> list[Finding]:
    """How much of what a text tells about the other one a content for it tells, and whether it is more than its words.

    Others' contents make texts less likely, so that saving over these says little: none is the measure. Beside it stand
    where the content began, since any vectors may help; contents of others of the same topic and type, so that subject
    and form are not all that is told; and the text's own words in another order.
    """
    table, found = study.table("across"), []
    for (size, kind), here in table.groupby(["K", "found_for"], sort=False):
        of = {asked: rows.set_index("pair") for asked, rows in here.groupby("asked")}
        other = of.pop(OTHER_TEXT)
        share, alike = told_over_text(other, "none"), other.dropna(subset="alike")
        by = {"content": "", "text": "_text", "words in another order": "_words"}  # by what: how its columns end
        saved = {name: other[f"other{end}"] - other[f"own{end}"] for name, end in by.items()}
        over_none = {name: mean(other[f"own{end}"] - other["none"]) for name, end in by.items()}
        over_start, over_alike = mean(other["start"] - other["own"]), mean(alike["alike"] - alike["own"])
        texts_alike = mean(alike["alike_text"] - alike["own_text"]) if len(alike) else None
        over_words, over_other = mean(other["own_words"] - other["own"]), mean(saved["content"])
        says, p = what_is_told(share, over_none["content"], over_start, over_other, over_alike, over_words)
        found.append(
            Finding(
                "7g across views",
                f"nats of the {OTHER[kind]} that a content for the {kind} alone saves over none, as a share of "
                f"those that the {kind} itself saves as text, K={size}",
                [Quantity("", share, percent=True)],
                [
                    *[Quantity(f"own {name} minus none", nats) for name, nats in over_none.items()],
                    Quantity("own start minus own content", over_start),
                    *[Quantity(f"nats saved over another's by the {name}", mean(nats)) for name, nats in saved.items()],
                    Quantity("that share over another's", told_over_text(other, "other"), percent=True),
                    Quantity("own words in another order minus own content", over_words),
                    Quantity("saved over another's of the same topic and type by the content", over_alike),
                    *([Quantity("by the text", texts_alike)] if texts_alike else []),
                    *[
                        Quantity(f"asked for {asked}, over another's", told_over_text(rows, "other"), percent=True)
                        for asked, rows in of.items()
                    ],
                ],
                Answer(
                    f"How likely is the {OTHER[kind]} after a content for the {kind}, K={size}?",
                    says,
                    "likelier, or less likely, than after none by the interval, and nothing if it ends below "
                    f"{TRACE:.0%} and neither start nor others are beaten; likelier, it must be so than after the "
                    "content's start, then than after others', those of the same topic and type among them, then than "
                    "after the words of the content's text in another order",
                    p,
                ),
            )
        )
    return found


def what_is_told(share: Estimate, over_none: Estimate, *over: Estimate) -> tuple[str, float | None]:
    """What a content tells, beside no content first, and the p of the weakest of what is said.

    Args:     over  by how much the text is likelier than after the content's start, others' contents, others' of the
              same topic and type, and the words of the content's text in another order
    """
    if over_none.high < 0:
        p = over_none.p
        for claim, than in zip(over, ("its start", "others'", "its topic and type", "its words"), strict=True):
            if claim.low <= 0:
                less = claim.high < 0 and than == "its words"
                return f"likelier than after none; {'less than' if less else 'not shown to beat'} {than}", p
            p = max(p, claim.p)
        return "likelier than after none; more than its words", p
    beaten = {"its start": over[:1], "others'": over[1:3]}
    beaten = {than: those for than, those in beaten.items() if min(each.low for each in those) > 0}
    claims = [*([over_none] if over_none.low > 0 else []), *(each for those in beaten.values() for each in those)]
    if not claims:
        return ("nothing", None) if share.high < TRACE else (NOT_SHOWN, over_none.p)
    says = "less likely than after none" if over_none.low > 0 else "not shown to be likelier than after none"
    but = f", but likelier than after {' and '.join(beaten)}" if beaten else ""
    return says + but, max(each.p for each in claims)


def told_over_text(rows: pd.DataFrame, over: str) -> Estimate:
    """What contents save over none, or over others', as a share of what texts save so; unbounded where these do not.

    Args:     over  'none' or 'other'
    """
    by_text = rows["none" if over == "none" else "other_text"] - rows["own_text"]
    share = ratio_of_sums(rows[over] - rows["own"], by_text)
    return share if by_text.mean() > 0 else replace(share, low=-math.inf, high=math.inf)


def sooner(size: int) -> Callable[[Study], list[Finding]]:
    """Whether a text is learned sooner from the content for the pair's other text."""

    def find(study: Study) -> list[Finding]:
        table, found = study.table(f"again-K{size}"), []
        fresh = study.per_problem(alone_part(size))
        kinds = {record["problem"]: record["views"][0]["kind"] for record in study.records(alone_part(size))}
        for kind, here in table.groupby("found_for", sort=False):
            steps = here.pivot(index="pair", columns="start", values="steps_to_exact") + 1
            random = fresh[fresh.index.map(kinds) == OTHER[kind]].set_index("pair")["steps_to_exact"] + 1
            over_other, over_random = (ratio(steps["own"], those) for those in (steps["other"], random[steps.index]))
            found.append(
                Finding(
                    "7g across views",
                    f"steps to the {OTHER[kind]} from its {kind}'s content, over from random tokens, K={size}",
                    [Quantity("", over_random)],
                    [Quantity(f"over from another {kind}'s content", over_other)],
                    Answer(
                        f"Is the {OTHER[kind]} learned sooner from its {kind}'s content, K={size}?",
                        verdict(1, "yes", "no, later", over_random),
                        "yes if the interval lies below 1, later if above",
                        over_random.p,
                    ),
                )
            )
        return found

    return find


def across_question(config: StudyConfig) -> Question:
    """Contents for one text alone."""
    everything = each_view(joint(config.num_examples))
    again = [size for size in config.alone if size in LEARNED_AGAIN]
    asks = "one text alone, {}".format
    return Question(
        parts=[
            Part(alone_part(size), asks(counted_slots(size)), settings(config, size, "confident"), everything)
            for size in config.alone
        ],
        tables=[
            Table("across", across, [alone_part(size) for size in config.alone]),
            *[Table(f"again-K{size}", partial(learned_again, size), [alone_part(size)]) for size in again],
        ],
        findings=[
            (["across"], likelier),
            *[([f"again-K{size}", alone_part(size)], sooner(size)) for size in again],
        ],
    )
