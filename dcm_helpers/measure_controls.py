"""The study's controls that need the Generator: what texts cost without content, what modes do, what transfers."""

from collections.abc import Sequence

import pandas as pd
import torch

from dcm_helpers.baselines import text_prompts
from dcm_helpers.decoding import decode_problems
from dcm_helpers.losses import score_rows
from dcm_helpers.problems import with_modes
from dcm_helpers.shapes import Contents
from dcm_helpers.solutions import pairs_of
from dcm_helpers.stm import Row, View
from dcm_helpers.study import MODES, OTHER_MODES, Study, sample_of


def surprisal(study: Study) -> pd.DataFrame:
    """What each target of the base part costs without content, with it, and after its context as text.

    Returns:  one row a view: columns pair, view, topic, question_type, tokens (EOS included), nats_without (after BOS
              and mode alone), nats_with, nats_context (after the prompt with context), prompt_tokens (of that prompt)
    """
    generator, folder = study.generator, study.folder("base")
    pairs, rows = pairs_of(folder), []
    for each in study.solutions("base"):
        pair = pairs[each.problem.pair]
        without = score_rows(generator, [Row.of(generator, view, None) for view in each.problem.views], None, K=0)
        prompts = [prompts["full_context"] for prompts in text_prompts(pair)]
        for view, alone, stored, prompt in zip(each.problem.views, without, each.record["views"], prompts, strict=True):
            tokens, context = len(view.target_ids), stored["baselines"]["full_context"]
            rows.append(
                {
                    "pair": pair.id,
                    "view": view.name,
                    "topic": pair.topic,
                    "question_type": pair.question_type,
                    "tokens": tokens,
                    "nats_without": alone["loss"] * tokens,
                    "nats_with": stored["loss"] * tokens,
                    "nats_context": context["loss"] * tokens if context else None,
                    "prompt_tokens": len(generator.prompt_ids(*prompt)) if prompt else None,
                }
            )
    return pd.DataFrame(rows)


def routing(study: Study) -> pd.DataFrame:
    """What greedy decoding writes from the base part's contents when other modes ask.

    Returns:  one row for each pair, change of modes and view: columns pair, modes, view, wrote ('own', 'other' for the
              other view's text, 'neither')
    """
    generator, found, rows = study.generator, study.solutions("base"), []
    contents = torch.stack([each.content for each in found]).to(generator.device)
    swapped = MODES[::-1]
    changes = {"as optimized": MODES, "swapped": swapped, "removed": (None, None), "other words": OTHER_MODES}
    for name, words in changes.items():
        asked = [with_modes(generator, each.problem, words) for each in found]
        for each, written in zip(found, decode_problems(generator, asked, contents), strict=True):
            targets = [view.target_ids for view in each.problem.views]
            for index, ids in enumerate(written):
                wrote = "own" if ids == targets[index] else "other" if ids == targets[1 - index] else "neither"
                rows.append({"pair": each.problem.pair, "modes": name, "view": MODES[index], "wrote": wrote})
    return pd.DataFrame(rows)


def transfer(study: Study) -> pd.DataFrame:
    """What unseen paraphrases cost after the pair's own content, another pair's, one found for a class, and none.

    No two of these pairs have the same answer. The other pair is the next of an order that takes topics in turn.

    Returns:  one row for each paraphrase and content: columns pair, view, held_out (whether the class part leaves this
              paraphrase out, too), content ('own', 'mismatched', 'none', and 'class' where there is one), tokens, nats
    """
    generator, pairs = study.generator, list(pairs_of(study.folder("base")).values())
    own, of_classes = study.by_pair("base"), study.by_pair("paraphrases")
    chosen, rows = sample_of(pairs, len(pairs)), []
    for pair, following in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        found = {"own": own[pair.id], "mismatched": own[following.id]}
        if pair.id in of_classes:
            found["class"] = of_classes[pair.id]
        contents = torch.stack([each.content for each in found.values()])
        texts = dict(zip(MODES, (pair.question_paraphrases, pair.answer_paraphrases), strict=True))
        for mode, paraphrases in texts.items():
            views = [View.of(generator, text, mode) for text in paraphrases]
            costs = nats(study, views, contents.to(generator.device))
            for index, (view, of_view) in enumerate(zip(views, costs, strict=True)):
                entry = {"pair": pair.id, "view": mode, "held_out": index == len(views) - 1}
                for content, cost in zip((*found, "none"), of_view, strict=True):
                    rows.append({**entry, "content": content, "tokens": len(view.target_ids), "nats": cost})
    return pd.DataFrame(rows)


def nats(study: Study, views: Sequence[View], contents: Contents) -> list[list[float]]:
    """What each view's whole target costs after each content, and last after none."""
    generator, K = study.generator, contents.shape[1]
    slots = [*range(len(contents)), None]
    rows = [Row.of(generator, view, slot) for view in views for slot in slots]
    losses = iter(score["loss"] for score in score_rows(generator, rows, contents, K))
    return [[next(losses) * len(view.target_ids) for _ in slots] for view in views]
