"""Oracle: is a content that makes the Generator predict an answer as after the whole context the one that writes it?"""

from dataclasses import replace

import pandas as pd
import torch

from dcm_helpers.inquiry import (
    Answer,
    Finding,
    Part,
    Problems,
    Question,
    Study,
    StudyConfig,
    Table,
    apart,
    joint,
    settings,
    verdict,
)
from dcm_helpers.look import from_oracle, nats_after
from dcm_helpers.stats import Quantity, mean, ratio, share
from dcm_helpers.stm import View, with_oracle

DISTILLED, WRITTEN = "distilled", "answers-alone"
"""Parts with one content for each answer alone: found to match the oracle, and to write the answer."""
WEIGHT = 100.0
"""Of the oracle's divergence beside cross-entropy: so large that nothing else is heard."""
SAME = 0.5
"""Points closer than this share of the way are taken for one."""


def answers_alone(problems: Problems) -> Problems:
    """Of each pair the answer as a problem of its own."""
    alone = apart(problems)
    return lambda generator, pairs: [each for each in alone(generator, pairs) if each.views[0].kind == "answer"]


def oracle(study: Study) -> pd.DataFrame:
    """Two contents for each answer from the same start: one that matches the oracle, and one that writes the answer.

    Returns:  one row for each pair: columns pair, distance (between both, over how far the second travelled), starts
              (distance of the first from the start, over the same), and of 'distilled' and 'written' each: exact,
              diverges (from the oracle, in nats a token), nats (of the answer), unseen (nats a token of an unseen
              paraphrase minus those without content)
    """
    generator, rows = study.generator, []
    found = {"distilled": study.by_pair(DISTILLED), "written": study.by_pair(WRITTEN)}
    pairs = study.run(WRITTEN).pairs
    starts = dict(zip(found["written"], study.starts(WRITTEN, list(found["written"].values())), strict=True))
    for name, written in found["written"].items():
        both = torch.stack([found[which][name].content for which in found])
        problem = with_oracle(generator, written.problem, pairs[name])
        unseen = View.of(generator, pairs[name].answer_paraphrases[-1], written.problem.views[0].mode, kind="answer")
        contents = both.to(generator.device)
        (answer,), (paraphrase,) = (nats_after(generator, [view], contents) for view in (*problem.views, unseen))
        travelled = (both[1] - starts[name]).norm()
        rows.append(
            {
                "pair": name,
                "distance": ((both[0] - both[1]).norm() / travelled).item(),
                "travel": ((both[0] - starts[name]).norm() / travelled).item(),
            }
        )
        diverge = from_oracle(generator, problem.views[0], contents)
        for index, which in enumerate(found):
            rows[-1] |= {
                f"{which}_exact": found[which][name].record["reconstructed"],
                f"{which}_diverges": diverge[index],
                f"{which}_nats": answer[index],
                f"{which}_unseen": (paraphrase[index] - paraphrase[-1]) / len(unseen.target_ids),
            }
    return pd.DataFrame(rows)


def same_point_or_behavior(study: Study) -> list[Finding]:
    """Whether both contents are the same point, behave the same, or neither."""
    table = study.table("oracle")
    closer = ratio(table["distilled_diverges"], table["written_diverges"])
    unseen = mean(table["distilled_unseen"] - table["written_unseen"])
    return [
        Finding(
            "11 oracle",
            "distance of the content that matches the whole context from the one that writes the answer, over how far "
            "the latter lies from the start of both",
            [Quantity("", mean(table["distance"]))],
            [
                Quantity("the former's own distance from the start", mean(table["travel"])),
                Quantity("divergence from the whole context, former over latter", closer),
                Quantity(
                    "in nats a token", (table["distilled_diverges"].mean(), table["written_diverges"].mean()), ".2g"
                ),
                Quantity("written exactly, the former", share(table["distilled_exact"]), percent=True),
                Quantity("the latter", share(table["written_exact"]), percent=True),
            ],
            Answer(
                "Is the content that matches the whole context the one that writes the answer?",
                "the same point" if mean(table["distance"]).high < SAME else "another point",
                f"the same point if they are less than {SAME:g} of the way apart",
            ),
        ),
        Finding(
            "11 oracle",
            "nats a token of an unseen answer paraphrase, content that matches the whole context minus the one that "
            "writes the answer",
            [Quantity("", unseen)],
            [
                Quantity("the former minus none", mean(table["distilled_unseen"])),
                Quantity("the latter minus none", mean(table["written_unseen"])),
            ],
            Answer(
                "Does matching the whole context make unseen answers likelier?",
                verdict(0, "yes", "no, less likely", unseen),
                "yes if the interval lies below 0",
                unseen.p,
            ),
        ),
    ]


def oracle_question(config: StudyConfig) -> Question:
    """Answers alone, with the oracle and without, for the same steps."""
    without = settings(config, num_steps=config.num_steps // 2)
    alone = answers_alone(joint(config.controls))
    return Question(
        parts=[
            Part(DISTILLED, "answers as after the whole context", replace(without, terms=(("oracle", WEIGHT),)), alone),
            Part(WRITTEN, "answers alone", without, alone),
        ],
        tables=[Table("oracle", oracle, [DISTILLED, WRITTEN])],
        findings=[(["oracle"], same_point_or_behavior)],
    )
