"""Oracle: is a content that makes the Generator predict an answer as after the whole context the one that writes it?"""

from dataclasses import replace

import pandas as pd
import torch

from dcm_helpers.inquiry import (
    LR,
    NOT_SHOWN,
    Answer,
    Finding,
    Part,
    Problems,
    Question,
    Study,
    StudyConfig,
    Table,
    each_view,
    joint,
    settings,
    verdict,
)
from dcm_helpers.look import from_oracle, nats_after
from dcm_helpers.optimize import oracle_of
from dcm_helpers.stats import Estimate, Quantity, mean, ratio, share
from dcm_helpers.stm import View, with_oracle

DISTILLED, WRITTEN, SLOWER, FIRST = "distilled", "answers-alone", "answers-alone-slower", "exact-answers-alone"
"""Parts with one content for each answer alone: found to match the oracle; to write the answer; the same in shorter
steps, which tells how far apart two contents for one answer are that began at one place; and until the first exact
content, which is not as sure of the answer."""
SHORTER = 2 / 3
"""Learning rate of the shorter steps, as a share of the usual one."""


def answers_alone(problems: Problems) -> Problems:
    """Of each pair the answer as a problem of its own."""
    alone = each_view(problems)
    return lambda generator, pairs: [each for each in alone(generator, pairs) if each.views[0].kind == "answer"]


def oracle(study: Study) -> pd.DataFrame:
    """Contents for each answer from the same start: one that matches the oracle, and some that write the answer.

    Of contents that were exact in passing an exact one is kept, whatever the divergence later was.

    Returns:  one row for each pair: columns pair, distance (of 'distilled' from 'written', over how far the latter
              lies from the start), null (the same of 'slower'), travel (of 'distilled' from the start, over the same),
              and of 'distilled', 'written' and 'first' each: exact, diverges (from the oracle, in nats a token), nats
              (of the answer), unseen (nats a token of an unseen paraphrase minus those without content); and of the
              oracle itself oracle_exact (whether it writes the answer) and oracle_nats
    """
    generator, rows = study.generator, []
    parts = {"distilled": DISTILLED, "written": WRITTEN, "first": FIRST, "slower": SLOWER}
    found = {which: study.by_pair(part) for which, part in parts.items()}
    pairs = study.run(WRITTEN).pairs
    starts = dict(zip(found["written"], study.starts(WRITTEN, list(found["written"].values())), strict=True))
    for name, written in found["written"].items():
        both = torch.stack([found[which][name].content for which in found])
        problem = with_oracle(generator, written.problem, pairs[name])
        unseen = View.of(generator, pairs[name].answer_paraphrases[-1], written.problem.views[0].mode, kind="answer")
        contents = both.to(generator.device)
        (answer,), (paraphrase,) = (nats_after(generator, [view], contents) for view in (*problem.views, unseen))
        distilled, own, _, slower = both
        way = (own - starts[name]).norm()
        rows.append(
            {
                "pair": name,
                "distance": ((distilled - own).norm() / way).item(),
                "null": ((slower - own).norm() / way).item(),
                "travel": ((distilled - starts[name]).norm() / way).item(),
            }
        )
        view = problem.views[0]
        told, target = oracle_of(generator, view), torch.tensor(view.target_ids)
        rows[-1] |= {
            "oracle_exact": bool((told.argmax(1).cpu() == target).all()),
            "oracle_nats": -told.cpu().gather(1, target[:, None]).sum().item(),
        }
        diverge = from_oracle(generator, view, contents)
        for index, which in enumerate(list(found)[:-1]):
            rows[-1] |= {
                f"{which}_exact": found[which][name].record["reconstructed"],
                f"{which}_diverges": diverge[index],
                f"{which}_nats": answer[index],
                f"{which}_unseen": (paraphrase[index] - paraphrase[-1]) / len(unseen.target_ids),
            }
    return pd.DataFrame(rows)


def same_point_or_behavior(study: Study) -> list[Finding]:
    """Whether both contents are the same point, behave the same, or neither.

    Points of one objective lie apart, too, so the distance is set beside that of two that write the answer. And what is
    surer of the answer is less sure of other wordings, so unseen ones are told after the first exact content as well.
    """
    table = study.table("oracle")
    apart = ratio(table["distance"], table["null"])
    closer = ratio(table["distilled_diverges"], table["written_diverges"])
    unseen = mean(table["distilled_unseen"] - table["written_unseen"])
    than_first = mean(table["distilled_unseen"] - table["first_unseen"])
    said, p = likelier(unseen, than_first)
    return [
        Finding(
            "11 oracle",
            "distance of the content that matches the whole context from the one that writes the answer, over that of "
            "another one that writes it, found in shorter steps",
            [Quantity("", apart)],
            [
                Quantity("the former distance over the way of the one that writes", mean(table["distance"])),
                Quantity("the latter", mean(table["null"])),
                Quantity("way of the one that matches, over that of the one that writes", mean(table["travel"])),
                Quantity("divergence from the whole context, the one that matches over the one that writes", closer),
                Quantity(
                    "in nats a token", (table["distilled_diverges"].mean(), table["written_diverges"].mean()), ".2g"
                ),
                Quantity("written exactly, from the one that matches", share(table["distilled_exact"]), percent=True),
                Quantity("from the one that writes", share(table["written_exact"]), percent=True),
                Quantity("by the Generator after the whole context itself", share(table["oracle_exact"]), percent=True),
                Quantity("nats of the answer there", table["oracle_nats"].mean(), ".3g"),
            ],
            Answer(
                "Is the content that matches the whole context one that writes the answer?",
                verdict(1, "nearer to it than another that does", "farther from it than another that does", apart),
                "by the interval of the ratio of both distances, below or above 1",
                apart.p,
            ),
        ),
        Finding(
            "11 oracle",
            "nats a token of an unseen answer paraphrase, content that matches the whole context minus the one that "
            "writes the answer",
            [Quantity("", unseen)],
            [
                Quantity("minus the first exact one, which is less sure", than_first),
                Quantity("the one that matches, minus none", mean(table["distilled_unseen"])),
                Quantity("the one that writes, minus none", mean(table["written_unseen"])),
                Quantity("the first exact one, minus none", mean(table["first_unseen"])),
                Quantity(
                    "nats of the answer: the one that matches, the one that writes, the first exact one",
                    tuple(table[f"{which}_nats"].mean() for which in ("distilled", "written", "first")),
                    ".2g",
                ),
            ],
            Answer(
                "Does matching the whole context make unseen answers likelier than writing the answer does?",
                said,
                "by the intervals of both differences: from the content that writes the answer, and from its first "
                "exact one; what they say apart is told of each",
                p,
            ),
        ),
    ]


def likelier(unseen: Estimate, than_first: Estimate) -> tuple[str, float]:
    """Whether unseen answers are likelier than after either content that writes the answer, and the p of that."""
    both, words = (unseen, than_first), (0, "likelier", "less likely")
    said = [verdict(*words, each) for each in both]
    shown = [each.p for each, one in zip(both, said, strict=True) if one != NOT_SHOWN]
    if not shown:
        return NOT_SHOWN, max(each.p for each in both)
    if len(set(said)) == 1:
        return said[0], max(shown)
    return f"than after the surest one: {said[0]}; than after its first exact one: {said[1]}", max(shown)


def oracle_question(config: StudyConfig) -> Question:
    """Answers alone, with the oracle in place of their tokens, and without, for at most the same steps."""
    without = settings(config, num_steps=config.num_steps // 2)
    alone = answers_alone(joint(config.controls))
    ways = {
        DISTILLED: ("answers as after the whole context", {"terms": (("oracle", 1.0),)}),
        WRITTEN: ("answers alone", {}),
        SLOWER: ("answers alone, in shorter steps", {"lr": SHORTER * LR}),
        FIRST: ("answers alone, until exact", {"stop_rule": "exact"}),
    }
    return Question(
        parts=[Part(name, asks, replace(without, **changes), alone) for name, (asks, changes) in ways.items()],
        tables=[Table("oracle", oracle, list(ways))],
        findings=[(["oracle"], same_point_or_behavior)],
    )
