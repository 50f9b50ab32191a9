"""Exactness: are contents that were exact where they were found exact under other batches, precisions and kernels?"""

import pandas as pd
import torch

from dcm_helpers.config import GeneratorConfig, StopRule
from dcm_helpers.generator import load_generator
from dcm_helpers.inquiry import NOT_SHOWN, Answer, Finding, Part, Question, Study, StudyConfig, Table, joint, settings
from dcm_helpers.look import exact_by_generate, exact_in_batches, smallest_margins
from dcm_helpers.stats import Quantity, share

RULE_PARTS: dict[StopRule, str] = {"exact": "exact-K8", "confident": "confident-K8", "minimize": "base"}
"""By stop rule, the part whose contents were found by it for the same pairs."""
PRECISIONS = ("float32", "bfloat16")
ATTENTION = ("sdpa", "eager")
BATCHES = (1, 97)
"""Problems in a batch of this project's decoder."""
GENERATED = (32,)
"""Rows in a batch of Hugging Face's ``generate``."""


def exactness(study: Study) -> pd.DataFrame:
    """Whether stored contents, in half precision, decode exactly under each precision, attention kernel and batch.

    Returns:  columns rule, problem, margin (smallest logit margin, float32 with fused attention), dtype, attention,
              decoder ('ours' or 'generate'), batch (problems, or rows of generate), exact
    """
    of_pairs = {record["problem"] for record in study.records(RULE_PARTS["exact"])}
    found = {
        rule: [each for each in study.solutions(part) if each.problem.id in of_pairs]
        for rule, part in RULE_PARTS.items()
    }
    rows, margins = [], {}
    for dtype in PRECISIONS:
        generator = load_generator(GeneratorConfig(study.config.model, study.config.device, dtype))
        for attention in ATTENTION:
            generator.model.set_attn_implementation(attention)
            for rule, solutions in found.items():
                problems = [each.problem for each in solutions]
                contents = torch.stack([each.content for each in solutions]).to(generator.device)
                if rule not in margins:
                    margins[rule] = smallest_margins(generator, problems, contents)
                tried = {("ours", size): exact_in_batches(generator, problems, contents, size) for size in BATCHES}
                for size in GENERATED:
                    tried["generate", size] = exact_by_generate(generator, problems, contents, size)
                for (decoder, batch), flags in tried.items():
                    for problem, margin, exact in zip(problems, margins[rule], flags, strict=True):
                        rows.append(
                            {"rule": rule, "problem": problem.id, "margin": margin, "dtype": dtype}
                            | {"attention": attention, "decoder": decoder, "batch": batch, "exact": exact}
                        )
    return pd.DataFrame(rows)


def by_condition(study: Study) -> pd.DataFrame:
    """How many contents of each stop rule decode exactly under each condition, of how many.

    Returns:  columns precision, attention, decoded, and a stop rule each
    """
    table = study.table("exactness")
    alone, together = table["batch"] == 1, table["decoder"] == "ours"
    table["decoded"] = "one by one"
    table.loc[~alone, "decoded"] = "all together"
    table.loc[~together, "decoded"] = "by Hugging Face's generate"
    table = table.rename(columns={"dtype": "precision"})
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
