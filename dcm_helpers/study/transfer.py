"""Transfer: does a content make phrasings likelier that it was not found for?"""

import pandas as pd
import torch

from dcm_helpers.config import MODES, StudyConfig
from dcm_helpers.look import nats_after
from dcm_helpers.stats import Estimate, Quantity, mean
from dcm_helpers.stm import View, of_class
from dcm_helpers.study.study import Answer, Finding, Part, Problems, Question, Study, Table, sample_of, settings


def classes(count: int) -> Problems:
    """Each pair with its paraphrases, the last question and the last answer held out."""
    return lambda generator, pairs: [of_class(generator, pair) for pair in sample_of(pairs, count)]


def unseen_paraphrases(study: Study) -> pd.DataFrame:
    """What unseen paraphrases cost after the pair's own content, another pair's, one found for a class, and none.

    No two of these pairs have the same answer. The other pair is the next of an order that takes topics in turn.

    Returns:  one row for each paraphrase and content: columns pair, view, held_out (whether the class part leaves this
              paraphrase out, too), content ('own', 'mismatched', 'none', and 'class' where there is one), tokens, nats
    """
    generator, pairs = study.generator, list(study.run("base").pairs.values())
    own, of_classes = study.by_pair("base"), study.by_pair("paraphrases")
    chosen, rows = sample_of(pairs, len(pairs)), []
    for pair, following in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        found = {"own": own[pair.id], "mismatched": own[following.id]}
        if pair.id in of_classes:
            found["class"] = of_classes[pair.id]
        contents = torch.stack([each.content for each in found.values()]).to(generator.device)
        for mode, kind in MODES.items():
            views = [View.of(generator, text, mode, kind=kind) for text in pair.paraphrases(kind)]
            for index, (view, costs) in enumerate(zip(views, nats_after(generator, views, contents), strict=True)):
                entry = {"pair": pair.id, "view": mode, "held_out": index == len(views) - 1}
                for content, cost in zip((*found, "none"), costs, strict=True):
                    rows.append({**entry, "content": content, "tokens": len(view.target_ids), "nats": cost})
    return pd.DataFrame(rows)


def likelihood_of_unseen(study: Study) -> list[Finding]:
    """Whether a content raises the likelihood of phrasings that it was not found for."""
    table, found = study.table("transfer"), []
    for view, name in MODES.items():
        unseen = table[(table["view"] == view) & table["held_out"]]
        unseen = unseen.assign(per_token=unseen["nats"] / unseen["tokens"])
        cost = unseen.pivot(index="pair", columns="content", values="per_token")
        gain, alone = (mean(cost["own"] - cost[which]) for which in ("mismatched", "none"))
        found.append(
            Finding(
                "8 transfer",
                f"nats a token of an unseen {name} paraphrase, own content minus another pair's",
                [Quantity("", gain), Quantity("minus none", alone)],
                [
                    Quantity("own", cost["own"].mean(), ".2f"),
                    Quantity("another's", cost["mismatched"].mean(), ".2f"),
                    Quantity("none", cost["none"].mean(), ".2f"),
                    Quantity("found for other paraphrases minus own", mean((cost["class"] - cost["own"]).dropna())),
                ],
                Answer(
                    f"Does a content make unseen paraphrases of its {name} likelier?",
                    likelier(gain, alone),
                    "yes if both intervals, against another's content and against none, lie below 0",
                ),
            )
        )
    return found


def likelier(gain: Estimate, alone: Estimate) -> str:
    """What costs after the own content say, less those after another's and less those after none."""
    if gain.high < 0 and alone.high < 0:
        return "yes"
    if gain.high < 0:
        return "than another's content does, yes; than none does, " + ("no" if alone.low > 0 else "not shown")
    return "no, less likely" if gain.low > 0 else "not shown"


def question(config: StudyConfig) -> Question:
    """Contents found for all but one phrasing of a pair, beside the base's."""
    most_phrasings = settings(config, num_steps=config.num_steps // 2)
    return Question(
        parts=[Part("paraphrases", "all but one phrasing", most_phrasings, classes(config.few))],
        tables=[Table("transfer", unseen_paraphrases, ["base", "paraphrases"])],
        findings=[(["transfer"], likelihood_of_unseen)],
    )
