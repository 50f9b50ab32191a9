"""Transfer: does a content make phrasings likelier that it was not found for?"""

import re

import pandas as pd
import torch
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from dcm_helpers.config import MODES, Kind
from dcm_helpers.inquiry import (
    Answer,
    Finding,
    Part,
    Problems,
    Question,
    Study,
    StudyConfig,
    Table,
    sample_of,
    settings,
    verdict,
)
from dcm_helpers.look import nats_after
from dcm_helpers.pairs import Pair
from dcm_helpers.stats import Quantity, mean
from dcm_helpers.stm import View, of_class


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
    """Whether a content raises the likelihood of phrasings that it was not found for.

    Having none is what counts: another pair's content costs more than none, so that whatever is set against it gains.
    """
    table, pairs, found = study.table("transfer"), study.run("base").pairs, []
    for view, kind in MODES.items():
        unseen = table[(table["view"] == view) & table["held_out"]]
        unseen = unseen.assign(per_token=unseen["nats"] / unseen["tokens"])
        cost = unseen.pivot(index="pair", columns="content", values="per_token")
        own, of_class = (mean((cost[which] - cost["none"]).dropna()) for which in ("own", "class"))
        no_shared_word = [pair for pair in cost.index if not shared_words(pairs[pair], kind)]
        unlike = mean((cost["own"] - cost["none"])[no_shared_word]) if no_shared_word else None
        found.append(
            Finding(
                "8 transfer",
                f"nats a token of an unseen {kind} paraphrase, own content minus none",
                [Quantity("", own)],
                [
                    *([Quantity("where no content word is shared", unlike)] if unlike else []),
                    Quantity("found for other paraphrases minus none", of_class),
                    Quantity("another pair's minus none", mean(cost["mismatched"] - cost["none"])),
                ],
                Answer(
                    f"Does a content make unseen paraphrases of its {kind} likelier?",
                    verdict(0, "yes", "no, less likely", own),
                    "yes if the interval, against no content, lies below 0",
                    own.p,
                ),
            )
        )
    return found


def shared_words(pair: Pair, kind: Kind) -> set[str]:
    """The content words that a pair's text shares with its last paraphrase, which no content was found for."""
    text, unseen = (content_words(each) for each in (pair.text(kind), pair.paraphrases(kind)[-1]))
    return text & unseen


def content_words(text: str) -> set[str]:
    """The words of a text, without those that any text has (scikit-learn's list)."""
    return set(re.findall(r"\w+", text.lower())) - ENGLISH_STOP_WORDS


def transfer_question(config: StudyConfig) -> Question:
    """Contents found for all but one phrasing of a pair, beside the base's."""
    most_phrasings = settings(config, num_steps=config.num_steps // 2)
    return Question(
        parts=[Part("paraphrases", "all but one phrasing", most_phrasings, classes(config.controls))],
        tables=[Table("transfer", unseen_paraphrases, ["base", "paraphrases"])],
        findings=[(["transfer"], likelihood_of_unseen)],
    )
