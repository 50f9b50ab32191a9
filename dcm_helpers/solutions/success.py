"""Success: how often contents are found, what makes a pair hard, and how much a content tells the Generator."""

import pandas as pd

from dcm_helpers.inquiry import (
    BITS,
    Answer,
    Finding,
    K,
    Part,
    Question,
    Study,
    StudyConfig,
    Table,
    joint,
    settings,
    true_part,
)
from dcm_helpers.look import nats_after
from dcm_helpers.stats import Quantity, correlation, mean, median, share
from dcm_helpers.stm import text_prompts


def surprisal(study: Study) -> pd.DataFrame:
    """What each target of the base part costs without content, with it, and after its context as text.

    Returns:  one row a view: columns pair, view, topic, question_type, tokens (EOS included), nats_without (after BOS
              and mode alone), nats_with, nats_context (after the prompt with context), prompt_tokens (of that prompt)
    """
    generator, pairs, rows = study.generator, study.run("base").pairs, []
    for each in study.solutions("base"):
        pair = pairs[each.problem.pair]
        prompts = text_prompts(pair)
        without = nats_after(generator, each.problem.views, None)
        for view, (alone,), stored in zip(each.problem.views, without, each.record["views"], strict=True):
            tokens, context = len(view.target_ids), stored["baselines"]["full_context"]
            prompt = prompts[view.kind]["full_context"]
            rows.append(
                {
                    "pair": pair.id,
                    "view": view.name,
                    "topic": pair.topic,
                    "question_type": pair.question_type,
                    "tokens": tokens,
                    "nats_without": alone,
                    "nats_with": stored["loss"] * tokens,
                    "nats_context": context["loss"] * tokens if context else None,
                    "prompt_tokens": len(generator.prompt_ids(*prompt)) if prompt else None,
                }
            )
    return pd.DataFrame(rows)


def how_often(study: Study) -> list[Finding]:
    """How often, by decoding and by teacher forcing; what makes a pair hard; how much information a content gives."""
    texts = study.table("surprisal")
    sums = texts.groupby("pair")[["tokens", "nats_without", "nats_with", "nats_context", "prompt_tokens"]].sum()
    kinds = texts.drop_duplicates("pair").set_index("pair")[["topic", "question_type"]]
    of = study.per_problem("base").set_index("pair").join(sums).join(kinds)
    groups = {f"{kind} {name}": flags for kind in kinds for name, flags in of.groupby(kind)["reconstructed"]}
    lowest = min(groups, key=lambda name: groups[name].mean())
    gain, context = ((of["nats_without"] - of[name]) * BITS for name in ("nats_with", "nats_context"))
    slower = of.groupby("question_type")["steps_to_exact"].median()
    made = [study.per_problem(part) for part in ("base", true_part(K)) if study.complete(part)]
    exact = share(max(made, key=len)["reconstructed"])
    return [
        Finding(
            "1 success",
            f"written exactly by greedy decoding, K={K}",
            [Quantity("", exact, percent=True)],
            [
                Quantity("teacher-forced exact", share(of["teacher_forced_exact"]), percent=True),
                Quantity(f"lowest group: {lowest},", share(groups[lowest]), percent=True),
            ],
            Answer(
                "Do good targets exist?",
                "yes" if exact.low > 0.9 else "for most pairs" if exact.low > 0.5 else "not for most pairs",
                "yes above 90 % of the pairs, most above 50 %, at the lower end of the interval",
            ),
        ),
        Finding(
            "1 success",
            "rank correlation of steps to exact with surprisal",
            [Quantity("", correlation(of["steps_to_exact"], of["nats_without"]), ".2g")],
            [
                Quantity("with tokens", correlation(of["steps_to_exact"], of["tokens"]), ".2g"),
                Quantity(f"median steps of the fastest question type, {slower.idxmin()}:", slower.min(), ".0f"),
                Quantity(f"of the slowest, {slower.idxmax()}:", slower.max(), ".0f"),
            ],
        ),
        Finding(
            "1 success",
            "information gain, bits a pair",
            [Quantity("", mean(gain))],
            [Quantity("from the context as text", mean(context))],
        ),
        Finding(
            "7f context",
            f"nats a pair, after {K} slots and a mode",
            [Quantity("median", median(of["nats_with"]), ".2g")],
            [
                Quantity("most", of["nats_with"].max(), ".2g"),
                Quantity("after prompts with the context", mean(of["nats_context"])),
                Quantity("tokens of such a prompt: mean", of["prompt_tokens"].mean() / 2, ".0f"),
            ],
        ),
    ]


def success_question(config: StudyConfig) -> Question:
    """Every pair once, which all other questions build on."""
    everything = settings(config, num_restarts=2)
    return Question(
        parts=[Part("base", "pairs, the point of comparison", everything, joint(config.base), baselines=True)],
        tables=[Table("surprisal", surprisal, ["base"])],
        findings=[(["base", "surprisal"], how_often)],
    )
