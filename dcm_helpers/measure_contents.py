"""The study's look at contents as points: their distance from tokens, their groups, their variety, their slots."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from dcm_helpers.clustering import cluster_labels, features, label_tests, same_against_other
from dcm_helpers.encoder import sentence_embeddings
from dcm_helpers.heterogeneity import (
    ablated,
    expected_overlap,
    participation_ratio,
    reordered,
    subspace_overlap,
    variance_shares,
)
from dcm_helpers.landscape import losses_at
from dcm_helpers.manifold import (
    nearest_of_tokens,
    random_travel,
    rank_among_tokens,
    slot_geometry,
    snapped,
)
from dcm_helpers.measure_landscape import FAMILIES, alike
from dcm_helpers.shapes import Contents
from dcm_helpers.solutions import Solution, contents_of, pairs_of
from dcm_helpers.study import CONTROLS, NEAR_TOKENS, Study, sample_of

SLOT_PARTS = ("base", "far", "norm", "norm-far", *(f"near-{weight:g}" for weight in NEAR_TOKENS))
KINDS = ("flattened", "mean slot", "slot order ignored", "directions, mean slot")
TOKEN_SAMPLE = 4096
ORDERS = 10


def slots(study: Study) -> pd.DataFrame:
    """Where slots lie to tokens, beside their starts and a null; means over the slots of a content.

    Returns:  one row for each part, content and kind ('content', 'start', 'random step' as far from the start, at the
              same angle): columns part, problem, pair, kind, distance, cosine, norm,
              norm_over_start, travel, cosine_with_start, rank (share of tokens that lie nearer to another token than
              the slot to any), cosine_rank
    """
    generator, tables = study.generator, []
    reference = nearest_of_tokens(generator, TOKEN_SAMPLE)
    for part in SLOT_PARTS:
        found = study.solutions(part)
        contents, starts = contents_of(found, generator), study.starts(part, found).to(generator.device)
        kinds = {"content": contents, "start": starts, "random step": random_travel(starts, contents, part)}
        names = pd.DataFrame([(each.problem.id, each.problem.pair) for each in found], columns=["problem", "pair"])
        for kind, vectors in kinds.items():
            table = slot_geometry(generator, vectors, starts)
            table["rank"] = rank_among_tokens(table["distance"].to_numpy(), reference.distance)
            table["cosine_rank"] = rank_among_tokens(-table["cosine"].to_numpy(), -reference.cosine)
            means = table.groupby("content").mean().drop(columns="slot").reset_index(drop=True)
            tables.append(names.join(means).assign(part=part, kind=kind))
    return pd.concat(tables)


def snapping(study: Study) -> pd.DataFrame:
    """What is left when every slot is replaced by its nearest token: columns part, problem, by, reconstructed, loss."""
    generator, rows = study.generator, []
    for part in SLOT_PARTS:
        found = study.solutions(part)
        contents = contents_of(found, generator)
        for by in ("distance", "direction"):
            for each, content in zip(found, snapped(generator, contents, by), strict=True):
                measured = losses_at(generator, each.problem, content[None]).iloc[0]
                rows.append(
                    {
                        "part": part,
                        "problem": each.problem.id,
                        "by": by,
                        "reconstructed": bool(measured["reconstructed"]),
                        "loss": float(measured["loss"]),
                    }
                )
    return pd.DataFrame(rows)


def clusters(study: Study) -> pd.DataFrame:
    """Whether related pairs lie closer than chance: contents, their starts (lower reference), plain text (upper one).

    Returns:  one row for each measure: columns of ('contents', 'starts', 'text'), features, label, measure, value,
              chance, low, high (the middle 95 % of shuffled labels), p
    """
    pairs, found = pairs_of(study.folder("base")), study.solutions("base")
    base = torch.stack([each.content for each in found]), study.starts("base", found)
    texts = [pairs[each.problem.pair] for each in found]
    plain = sentence_embeddings([f"{pair.question} {pair.answer}" for pair in texts])
    labels = {
        "topic": [pair.topic for pair in texts],
        "question type": [pair.question_type for pair in texts],
        "same answer": repeated([pair.answer for pair in texts]),
    }
    rows = []
    for of, points in points_of(*base, plain):
        found_clusters, _ = cluster_labels(points)
        for label in ("topic", "question type"):
            tests = label_tests(points, labels[label], found_clusters)
            rows += [{**of, "label": label, **row} for row in tests.to_dict("records")]
        rows.append({**of, "label": "same answer", **ratio_row(points, labels["same answer"])})
    for label, part in (("restarts of a pair", "restarts"), ("paraphrases of a pair", "rephrased")):
        others = study.solutions(part)
        wanted = {each.problem.pair for each in others}
        mine = [each for each in found if each.problem.pair in wanted] + others
        contents = torch.stack([each.content for each in mine])
        starts = torch.cat([study.starts("base", mine[: -len(others)]), study.starts(part, others)])
        spoken = sentence_embeddings([view_texts(each) for each in mine]) if part == "rephrased" else None
        for of, points in points_of(contents, starts, spoken):
            rows.append({**of, "label": label, **ratio_row(points, [each.problem.pair for each in mine])})
    return pd.DataFrame(rows)


def points_of(contents: Contents, starts: Contents, plain: np.ndarray | None):
    """What is compared: contents and starts in each kind of features, and embeddings of the text."""
    for name, vectors in (("contents", contents), ("starts", starts)):
        for kind in KINDS:
            yield {"of": name, "features": kind}, features(vectors, kind)
    if plain is not None:
        yield {"of": "text", "features": "MiniLM"}, plain


def repeated(names: Sequence[str]) -> list[str]:
    """The names that occur more than once; '' for the others."""
    return [name if names.count(name) > 1 else "" for name in names]


def ratio_row(points: np.ndarray, groups: Sequence[str]) -> dict:
    """Distance within groups over distance between them, under the name of its measure."""
    found = same_against_other(points, groups)
    return {"measure": "distance ratio", "value": found.pop("ratio"), **found}


def view_texts(solution: Solution) -> str:
    """Both texts of a solution."""
    return " ".join(view.target_text for view in solution.problem.views)


def heterogeneity(study: Study) -> pd.DataFrame:
    """How varied solutions of one pair are beside those of other pairs.

    Returns:  one row for each family, kind of features and figure: columns family, features, figure, value, low, high
    """
    rows = []
    for family in FAMILIES:
        several = alike(study, family)
        count = max(map(len, several.values()), default=0)
        whole = [[each.content for each, _ in those[:count]] for those in several.values() if len(those) >= count]
        if len(whole) < 2:  # a set too small to tell pairs from restarts
            continue
        contents = torch.stack([torch.stack(those) for those in whole])
        for kind in KINDS:
            points = features(contents.flatten(0, 1), kind).reshape(*contents.shape[:2], -1)
            shares = variance_shares(points)
            entry = {"family": family, "features": kind}
            rows.append(
                {**entry, "figure": "ICC", "value": shares["icc"], "low": shares["low"], "high": shares["high"]}
            )
            rows.append({**entry, "figure": "participation ratio", "value": participation_ratio(points[:, 0])})
        within = [subspace_overlap(a, b) for those in whole for a, b in [those[:2]]]
        across = [subspace_overlap(a[0], b[0]) for a, b in zip(whole, [*whole[1:], whole[0]], strict=True)]
        expected = expected_overlap(*contents.shape[2:])
        for figure, values in (
            ("overlap within", within),
            ("overlap between", across),
            ("overlap expected", [expected]),
        ):
            rows.append(
                {
                    "family": family,
                    "features": "row space",
                    "figure": figure,
                    "value": float(np.mean(values)),
                    "low": float(np.quantile(values, 0.025)),
                    "high": float(np.quantile(values, 0.975)),
                }
            )
    return pd.DataFrame(rows)


def ablation(study: Study) -> pd.DataFrame:
    """What a content loses with one slot put back to its start, and with its slots in another order.

    Returns:  columns pair, change ('slot' or 'order'), index (which slot, or which draw), reconstructed, loss (nats)
    """
    generator, tables = study.generator, []
    by_pair = study.by_pair("base")
    chosen = [by_pair[pair.id] for pair in sample_of(list(pairs_of(study.folder("base")).values()), CONTROLS)]
    starts = study.starts("base", chosen)
    for each, start in zip(chosen, starts, strict=True):
        changed = {"slot": ablated(each.content, start), "order": reordered(each.content, ORDERS, each.problem.id)}
        for change, contents in changed.items():
            table = losses_at(generator, each.problem, contents.to(generator.device))[["loss", "reconstructed"]]
            tables.append(table.assign(pair=each.problem.pair, change=change, index=range(len(table))))
    return pd.concat(tables)
