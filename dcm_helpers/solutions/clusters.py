"""Clusters: do contents of related pairs lie nearer to each other than chance has it?"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from dcm_helpers.generator import sentence_embeddings
from dcm_helpers.inquiry import (
    KINDS,
    NOT_SHOWN,
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
)
from dcm_helpers.look import cluster_labels, features, label_tests, same_against_other
from dcm_helpers.runs import Solution
from dcm_helpers.shapes import Contents, Float
from dcm_helpers.stats import BesideChance, Quantity
from dcm_helpers.stm import rephrased

RELATED = {
    "topic": "contents of one topic",
    "question type": "contents of one question type, first words held,",
    "same answer": "contents with the same answer",
    "paraphrases of a pair": "contents of a pair and its paraphrase",
    "restarts of a pair": "contents of one pair",
}
"""Labels that pairs are grouped by, and what shares one."""


def rewordings(count: int) -> Problems:
    """Each question in other words, with the same answer, from another start."""
    return lambda generator, pairs: [rephrased(generator, pair) for pair in sample_of(pairs, count)]


def groups(study: Study) -> pd.DataFrame:
    """Whether related pairs lie closer than chance: contents, their starts (lower reference), plain text (upper one).

    Returns:  one row for each measure: columns of ('contents', 'starts', 'text'), features, label, measure, value,
              chance, low, high (the middle 95 % of shuffled labels; question types among questions that begin with
              the same word), p
    """
    pairs, found, shuffles = study.run("base").pairs, study.solutions("base"), study.config.shuffles
    base = torch.stack([each.content for each in found]), study.starts("base", found)
    texts = [pairs[each.problem.pair] for each in found]
    plain = sentence_embeddings([f"{pair.question} {pair.answer}" for pair in texts])
    labels = {
        "topic": [pair.topic for pair in texts],
        "question type": [pair.question_type for pair in texts],
        "same answer": repeated([pair.answer for pair in texts]),
    }
    first_words = [pair.question.split()[0].lower() for pair in texts]  # most types have one: it explains them, too
    rows = []
    for of, points in points_of(*base, plain):
        found_clusters, _ = cluster_labels(points)
        for label, within in (("topic", []), ("question type", first_words)):
            tests = label_tests(points, labels[label], found_clusters, shuffles, within=within)
            rows += [{**of, "label": label, **row} for row in tests.to_dict("records")]
        rows.append({**of, "label": "same answer", **ratio_row(points, labels["same answer"], shuffles)})
    for label, part in (("restarts of a pair", "restarts"), ("paraphrases of a pair", "rephrased")):
        others = study.solutions(part)
        wanted = {each.problem.pair for each in others}
        mine = [each for each in found if each.problem.pair in wanted] + others
        contents = torch.stack([each.content for each in mine])
        starts = torch.cat([study.starts("base", mine[: -len(others)]), study.starts(part, others)])
        spoken = sentence_embeddings([view_texts(each) for each in mine]) if part == "rephrased" else None
        for of, points in points_of(contents, starts, spoken):
            rows.append({**of, "label": label, **ratio_row(points, [each.problem.pair for each in mine], shuffles)})
    return pd.DataFrame(rows)


def points_of(
    contents: Contents, starts: Contents, plain: Float[np.ndarray, "N F"] | None
) -> Iterator[tuple[dict, Float[np.ndarray, "N F"]]]:
    """What is compared: contents and starts in each kind of features, and embeddings of the text."""
    for name, vectors in (("contents", contents), ("starts", starts)):
        for kind in KINDS:
            yield {"of": name, "features": kind}, features(vectors, kind)
    if plain is not None:
        yield {"of": "text", "features": "MiniLM"}, plain


def repeated(names: Sequence[str]) -> list[str]:
    """The names that occur more than once; '' for the others."""
    return [name if names.count(name) > 1 else "" for name in names]


def ratio_row(points: Float[np.ndarray, "N F"], groups: Sequence[str], shuffles: int) -> dict:
    """Distance within groups over distance between them, under the name of its measure."""
    found = same_against_other(points, groups, shuffles)
    return {"measure": "distance ratio", "value": found.pop("ratio"), **found}


def view_texts(solution: Solution) -> str:
    """Both texts of a solution."""
    return " ".join(view.target_text for view in solution.problem.views)


def together(study: Study) -> list[Finding]:
    """Whether related pairs lie together, beside their starts (lower reference) and the plain text (upper one)."""
    table = study.table("clusters")
    tests = [(label, measure) for label in ("topic", "question type") for measure in ("kNN accuracy", "AMI")]
    tests += [(label, "distance ratio") for label in RELATED if label not in ("topic", "question type")]
    found = []
    for label, measure in tests:
        rows = table[(table["label"] == label) & (table["measure"] == measure)]
        of = {kind: most_telling(rows[rows["of"] == kind]) for kind in ("contents", "starts", "text")}
        shown = {kind: [Quantity("" if kind == "contents" else kind, each)] for kind, each in of.items() if each}
        answer = None
        if measure != "AMI":
            more = of["contents"] is not None and of["contents"].p < 0.05
            answer = Answer(
                f"Do {RELATED[label]} lie together?",
                "more than chance" if more else NOT_SHOWN,
                "more than chance if p, corrected for the choice of features, is below 0.05",
                None if of["contents"] is None else of["contents"].p,
            )
        beside = [*shown.get("starts", []), *shown.get("text", [])]
        found.append(Finding("4 clusters", f"{label}: {measure}", shown.get("contents", []), beside, answer))
    return found


def most_telling(rows: pd.DataFrame) -> BesideChance | None:
    """The features that tell most from chance, with a Bonferroni correction for having chosen among several.

    Shuffles can give no p below some least one; of features that reach it, the value farthest from chance counts, in
    widths of its own band of chance.

    Returns:  None where nothing was measured, or no two are alike
    """
    if rows.empty or rows["value"].isna().any():
        return None
    away = (rows["value"] - rows["chance"]).abs() / (rows["high"] - rows["low"])
    row = rows.assign(away=away).sort_values(["p", "away"], ascending=[True, False]).iloc[0]
    p = min(1.0, row["p"] * len(rows))
    return BesideChance(row["value"], row["low"], row["high"], p, row["features"] if len(rows) > 1 else "")


def clusters_question(config: StudyConfig) -> Question:
    """Pairs, their restarts, and their questions in other words."""
    return Question(
        parts=[Part("rephrased", "the question in other words", settings(config), rewordings(config.landscape))],
        tables=[Table("clusters", groups, ["base", "restarts", "rephrased"], ("shuffles",))],
        findings=[(["clusters"], together)],
    )
