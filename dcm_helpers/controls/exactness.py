"""Exactness: are contents that were exact where they were found exact under other batches, precisions and kernels?"""

import itertools
from functools import cache, partial

import pandas as pd
import torch

from dcm_helpers.config import GeneratorConfig, StopRule
from dcm_helpers.generator import PRECISIONS, Generator, load_generator
from dcm_helpers.inquiry import (
    NOT_SHOWN,
    Answer,
    Finding,
    K,
    Part,
    Pieces,
    Question,
    Study,
    StudyConfig,
    Table,
    joint,
    settings,
    true_part,
)
from dcm_helpers.look import exact_by_generate, exact_in_batches, smallest_margins
from dcm_helpers.runs import Solution
from dcm_helpers.stats import Quantity, share

RULE_PARTS: dict[StopRule, str] = {"exact": true_part(K), "confident": "confident-K8", "minimize": "base"}
"""By stop rule, the part whose contents were found by it for the same pairs."""
KERNELS = ("sdpa", "eager")
"""Hugging Face's own attention kernels."""
BATCHES = (1, 97)
"""Problems in a batch of this project's decoder."""
GENERATED = (32,)
"""Rows in a batch of Hugging Face's ``generate``."""


def exactness(study: Study) -> Pieces:
    """Whether stored contents, in half precision, decode exactly under each precision, attention kernel and batch.

    Returns:  a piece for each rule, precision and kernel, of columns rule, problem, margin (smallest logit margin, as
              the study's own Generator has it), dtype, attention, decoder ('ours' or 'generate'), batch (problems, or
              rows of generate), exact
    """

    @cache
    def in_precision(dtype: str) -> Generator:
        return load_generator(GeneratorConfig(study.config.model, study.config.device, dtype))

    @cache
    def of_rule(rule: StopRule) -> tuple[list[Solution], list[float]]:
        of_pairs = {record["problem"] for record in study.records(RULE_PARTS["exact"])}
        found = [each for each in study.solutions(RULE_PARTS[rule]) if each.problem.id in of_pairs]
        contents = torch.stack([each.content for each in found]).to(study.generator.device)
        return found, smallest_margins(study.generator, [each.problem for each in found], contents)

    def piece(dtype: str, attention: str, rule: StopRule) -> pd.DataFrame:
        (found, margins), generator = of_rule(rule), in_precision(dtype)
        generator.model.set_attn_implementation(attention)
        problems = [each.problem for each in found]
        contents = torch.stack([each.content for each in found]).to(generator.device)
        tried = {("ours", size): exact_in_batches(generator, problems, contents, size) for size in BATCHES}
        tried |= {("generate", size): exact_by_generate(generator, problems, contents, size) for size in GENERATED}
        rows = [
            {"rule": rule, "problem": problem.id, "margin": margin, "dtype": dtype, "attention": attention}
            | {"decoder": decoder, "batch": batch, "exact": exact}
            for (decoder, batch), flags in tried.items()
            for problem, margin, exact in zip(problems, margins, flags, strict=True)
        ]
        return pd.DataFrame(rows)

    return {
        f"{rule}, {dtype}, {attention}": partial(piece, dtype, attention, rule)
        for dtype, attention, rule in itertools.product(PRECISIONS, KERNELS, RULE_PARTS)
    }


def by_condition(study: Study) -> pd.DataFrame:
    """How many contents of each stop rule decode exactly under each condition, of how many.

    Returns:  columns precision, attention, decoded, and a stop rule each
    """
    table = study.table("exactness").rename(columns={"dtype": "precision"})
    ours = (table["batch"] == 1).map({True: "one by one", False: "all together"})
    table = table.assign(decoded=ours.where(table["decoder"] == "ours", "by Hugging Face's generate"))
    counted = table.groupby(["precision", "attention", "decoded", "rule"], sort=False)["exact"].agg(["sum", "count"])
    told = counted["sum"].astype(str) + " of " + counted["count"].astype(str)
    return told.unstack("rule", sort=False).reset_index()


def travels(study: Study) -> list[Finding]:
    """For each stop rule, the contents that stay exact under everything that was tried."""
    table, found = study.table("exactness"), []
    broke = table[~table["exact"]]["margin"].max()
    for rule, here in table.groupby("rule", sort=False):
        always = share(here.groupby("problem")["exact"].all())
        by_dtype = [share(rows.groupby("problem")["exact"].all()) for _, rows in here.groupby("dtype", sort=False)]
        broken, small = here[~here["exact"]]["margin"], (here.groupby("problem")["margin"].first() <= broke).sum()
        worst = here.groupby(["dtype", "attention", "decoder", "batch"])["exact"].mean()
        found.append(
            Finding(
                "9 exactness",
                f"contents of rule {rule!r} that decode exactly under every precision, kernel, batch and decoder tried",
                [Quantity("", always, percent=True)],
                [
                    *[
                        Quantity(f"under every kernel and batch in {dtype}", each, percent=True)
                        for dtype, each in zip(PRECISIONS, by_dtype, strict=True)
                    ],
                    Quantity("in the worst of all conditions", worst.min(), percent=True),
                    Quantity("smallest margin in logits", here["margin"].min(), ".2g"),
                    *([Quantity("largest that broke", broken.max(), ".2g")] if len(broken) else []),
                    Quantity("contents with a margin as small as one that broke, of any rule:", small, ".0f"),
                ],
                Answer(
                    f"Is a content of rule {rule!r} exact elsewhere?",
                    "yes" if always.low > 0.9 else "not always" if always.high < 1 else NOT_SHOWN,
                    "yes if 90 % or more stay exact at the lower end of the interval, not always if some do not",
                ),
            )
        )
    return found


def exactness_question(config: StudyConfig) -> Question:
    """True pairs until confident, beside those until exact and the base's."""
    everything = joint(config.num_examples)
    return Question(
        parts=[Part(RULE_PARTS["confident"], "pairs, until confident", settings(config, rule="confident"), everything)],
        tables=[Table("exactness", exactness, list(RULE_PARTS.values()))],
        findings=[(["exactness"], travels)],
    )
