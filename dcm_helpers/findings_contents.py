"""Findings about contents as points: the loss around them, tokens near them, their groups, their variety."""

import numpy as np
import pandas as pd

from dcm_helpers import estimates
from dcm_helpers.findings import Finding, paired, per_problem, percent
from dcm_helpers.heterogeneity import gini
from dcm_helpers.study import NEAR_TOKENS, Study

CONNECTED = 0.1
"""A loss barrier below this, in nats, joins two solutions."""
NEARER = 0.95
"""Contents lie near tokens if their distance is less than this share of a random step's: tiny differences, which are
certain with many pairs, do not count."""
ALIKE = {"base": "", "far": ", ten times the lr", "norm": ", norms held"}
"""Families of contents, and how findings call them."""
RELATED = {
    "topic": "contents of one topic",
    "question type": "contents of one question type",
    "same answer": "contents with the same answer",
    "paraphrases of a pair": "contents of a pair and its paraphrase",
    "restarts of a pair": "contents of one pair",
}
"""Labels that pairs are grouped by, and what shares one."""
OVERLAPS = ("within", "between", "expected")


def landscape(study: Study) -> list[Finding]:
    """One content or many, joined or apart."""
    between, way, basin = (study.table(name) for name in ("between", "way", "basin"))
    found = []
    for family in between["family"].unique():
        name, here = ALIKE[family], between[between["family"] == family]
        means = here.groupby("pair")[["relative", "cosine", "start_cosine", "barrier"]].mean()
        joined = (here["barrier"] < CONNECTED).groupby(here["pair"]).mean()
        downhill = way[way["family"] == family].groupby("pair")["barrier"].first()
        broken = radii(basin[basin["family"] == family])
        barrier = estimates.mean(means["barrier"])
        found += [
            Finding(
                "2 landscape",
                f"distance of two solutions of a pair, over how far each travelled{name}",
                estimates.mean(means["relative"]).text(),
                f"their cosine {estimates.mean(means['cosine']).text(2)}; "
                f"of their starts {estimates.mean(means['start_cosine']).text(2)}",
            ),
            Finding(
                "2 landscape",
                f"loss barrier between them, nats{name}",
                barrier.text(),
                f"share that is joined (below {CONNECTED}): {percent(estimates.mean(joined))}; "
                f"barrier from start to content {estimates.mean(downhill).text(2)}",
                "Is there one content for a pair?" if family == "base" else "",
                apart_or_joined(barrier),
            ),
            Finding(
                "2 landscape",
                f"noise that breaks half the decodes, of each slot's norm{name}",
                estimates.median(broken).text(2),
                f"tried from {basin['radius'].min():g} to {basin['radius'].max():g}",
            ),
        ]
    return found


def apart_or_joined(barrier: estimates.Estimate) -> str:
    """What the mean barrier between solutions of one pair says."""
    if barrier.low > CONNECTED:
        return "no, many that lie apart"
    return "many that are joined" if barrier.high < CONNECTED else "not shown"


def radii(basin: pd.DataFrame) -> list[float]:
    """For each pair the radius at which half its decodes break."""
    return [half_radius(table.groupby("radius")["reconstructed"].mean()) for _, table in basin.groupby("pair")]


def half_radius(kept: pd.Series) -> float:
    """Where a share that falls with the radius (its index) first comes below one half, linearly between radii.

    At radius 0 all is kept. A share that never falls below one half gives the largest radius.
    """
    places, shares = np.array([0.0, *kept.index]), np.array([1.0, *kept])
    below = np.flatnonzero(shares < 0.5)
    if not len(below):
        return float(places[-1])
    after = below[0]
    step = (shares[after - 1] - 0.5) / (shares[after - 1] - shares[after])
    return float(places[after - 1] + step * (places[after] - places[after - 1]))


def curvature(study: Study) -> list[Finding]:
    """How sharp the loss is at contents, and how contents travel."""
    sharp, trips = study.table("curvature"), study.table("trajectories")
    found = []
    for family in sharp["family"].unique():
        name, here = ALIKE[family], sharp[sharp["family"] == family]
        content, start = (here[here["at"] == at]["relative"] for at in ("content", "start"))
        trip = trips[trips["family"] == family]
        found += [
            Finding(
                "2 landscape",
                f"top Hessian eigenvalue times squared slot norm{name}",
                estimates.median(content).text(2),
                f"at the starts {estimates.median(start).text(2)}",
            ),
            Finding(
                "2 landscape",
                f"principal components that hold 99 % of a trajectory{name}",
                estimates.mean(trip["dimensions_99"]).text(),
                f"of a random walk of such steps {estimates.mean(trip['dimensions_99_random']).text()}; "
                f"length over displacement {estimates.mean(1 / trip['straightness']).text()}",
            ),
        ]
    return found


def from_tokens(study: Study) -> list[Finding]:
    """Whether contents lie near tokens, against vectors that went as far in random directions."""
    slots, snapped = first_of_each(study.table("slots")), first_of_each(study.table("snapped"))
    names = {**ALIKE, "norm-far": ", norms held, ten times the lr"}
    found = []
    for part, name in names.items():
        here = slots[slots["part"] == part].set_index("problem").sort_index()
        content, random = here[here["kind"] == "content"], here[here["kind"] == "random step"]
        kept = snapped[snapped["part"] == part].groupby("problem")["reconstructed"].any()
        ratio = estimates.ratio(content["distance"], random["distance"])
        found.append(
            Finding(
                "3 tokens",
                f"distance to the nearest token, over that of a random step{name}",
                ratio.text(4),
                f"distance {content['distance'].mean():.3g}; cosine {content['cosine'].mean():.2f} and "
                f"{random['cosine'].mean():.2f}; {100 * content['rank'].mean():.0f} % of tokens have a nearer token "
                f"than slots have; exact with slots at their nearest tokens {percent(estimates.share(kept))}",
                "Do contents lie near tokens?" if part == "base" else "",
                "yes" if ratio.high < NEARER else "no" if ratio.low > NEARER else "not shown",
            )
        )
    return found


def first_of_each(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each pair's first solution: restarts left out, so that the unit stays the pair."""
    return table[~table["problem"].str.contains("/restart")]


def held(study: Study) -> list[Finding]:
    """What it costs to hold every slot at token norm, and whether distance is a property of the pair, then or at all.

    With norms held distance could be one of the norms, which are those of the start and the same at both rates.
    """
    base, norm = paired(study, "base", "norm")
    slots = first_of_each(study.table("slots"))
    content = slots[slots["kind"] == "content"]
    distances = content.pivot(index="pair", columns="part", values="distance")
    distances = distances[["base", "far", "norm", "norm-far"]].dropna()
    norms = content[content["part"] == "norm"].set_index("pair")["norm"].loc[distances.index]
    free = estimates.correlation(distances["base"], distances["far"])
    return [
        Finding(
            "3 tokens",
            "steps to exact with norms held, over free",
            estimates.ratio(norm["steps"] + 1, base["steps"] + 1).text(),
            f"loss ratio {estimates.ratio(norm['loss'], base['loss']).text(2)}; "
            f"exact {percent(estimates.share(norm['reconstructed']))}, "
            f"free {percent(estimates.share(base['reconstructed']))}",
        ),
        Finding(
            "3 tokens",
            "rank correlation of pairs' distances at both learning rates",
            free.text(2),
            f"norms held {estimates.correlation(distances['norm'], distances['norm-far']).text(2)}, beside that of "
            f"distance with the held norm, {estimates.correlation(distances['norm'], norms).text(2)}; ten times the lr "
            f"multiplies distance by {estimates.ratio(distances['far'], distances['base']).text()}, "
            f"held by {estimates.ratio(distances['norm-far'], distances['norm']).text()}",
            "Is distance from tokens a property of the pair?",
            "in part" if free.low > 0 else "not shown",
        ),
    ]


def drawn(study: Study) -> list[Finding]:
    """What drawing slots to tokens costs and buys."""
    slots, snapped = study.table("slots"), study.table("snapped")
    distance = slots[slots["kind"] == "content"].set_index(["part", "problem"])["distance"]
    found = []
    for weight in NEAR_TOKENS:
        part = f"near-{weight:g}"
        base, near = paired(study, "base", part)
        kept = snapped[snapped["part"] == part].groupby("problem")["reconstructed"].any()
        found.append(
            Finding(
                "3 tokens",
                f"distance to tokens with a term of {weight:g} nats per unit, over without",
                estimates.ratio(distance[part][near.index], distance["base"][near.index]).text(),
                f"exact {percent(estimates.share(near['reconstructed']))}; "
                f"steps to exact {estimates.ratio(near['steps'] + 1, base['steps'] + 1).text()} times; "
                f"exact with slots at their nearest tokens {percent(estimates.share(kept))}",
            )
        )
    return found


def clusters(study: Study) -> list[Finding]:
    """Whether related pairs lie together, beside their starts (lower reference) and the plain text (upper one)."""
    table = study.table("clusters")
    tests = [(label, measure) for label in ("topic", "question type") for measure in ("kNN accuracy", "AMI")]
    tests += [(label, "distance ratio") for label in RELATED if label not in ("topic", "question type")]
    found = []
    for label, measure in tests:
        rows = table[(table["label"] == label) & (table["measure"] == measure)]
        of = {kind: most_telling(rows[rows["of"] == kind]) for kind in ("contents", "starts", "text")}
        text, p = of["contents"]
        asked = f"Do {RELATED[label]} lie together?" if measure != "AMI" else ""
        beside = f"starts {of['starts'][0]}; text {of['text'][0]}"
        answer = "more than chance" if p < 0.05 else "not shown"
        found.append(Finding("4 clusters", f"{label}: {measure}", text, beside, asked, answer))
    return found


def most_telling(rows: pd.DataFrame) -> tuple[str, float]:
    """The features that tell most from chance, and p with a Bonferroni correction for having chosen among several.

    Shuffles can give no p below some least one; of features that reach it, the value farthest from chance counts, in
    widths of its own band of chance.
    """
    if rows.empty or rows["value"].isna().any():
        return "not measured" if rows.empty else "no two alike", 1.0
    away = (rows["value"] - rows["chance"]).abs() / (rows["high"] - rows["low"])
    row = rows.assign(away=away).sort_values(["p", "away"], ascending=[True, False]).iloc[0]
    p = min(1.0, row["p"] * len(rows))
    of = f" in {row['features']}" if len(rows) > 1 else ""
    return f"{row['value']:.3g}{of} (chance {row['low']:.3g} to {row['high']:.3g}), p={p:.2g}", p


def heterogeneity(study: Study) -> list[Finding]:
    """How much of a content belongs to its pair, and what its slots do."""
    table, changed = study.table("heterogeneity"), study.table("ablation")
    found = []
    for family in table["family"].unique():
        name, here = ALIKE[family], table[table["family"] == family].set_index(["features", "figure"])

        def shares(kind: str, here=here) -> str:
            row = here.loc[(kind, "ICC")]
            return f"{row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})"

        overlap = {which: here.loc[("row space", f"overlap {which}"), "value"] for which in OVERLAPS}
        found.append(
            Finding(
                "5 variety",
                f"share of variance that belongs to the pair (ICC){name}",
                shares("flattened"),
                f"mean slot {shares('mean slot')}; row spaces overlap {overlap['within']:.3f} within a pair, "
                f"{overlap['between']:.3f} between pairs, {overlap['expected']:.3f} by chance; participation ratio of "
                f"the pairs {here.loc[('flattened', 'participation ratio'), 'value']:.1f}",
                "Is a content's place a property of its pair?" if family == "base" else "",
                "in part" if here.loc[("flattened", "ICC"), "low"] > 0 else "not shown",
            )
        )
    rates = changed.groupby(["change", "pair"])["reconstructed"].mean()
    before = per_problem(study, "base").set_index("pair")["loss"]
    lost = changed.assign(lost=(changed["loss"] - changed["pair"].map(before)).clip(lower=0))
    concentration = lost[lost["change"] == "slot"].groupby("pair")["lost"].agg(gini)
    found.append(
        Finding(
            "5 variety",
            "single slots that can go back to their start with all still exact",
            percent(estimates.mean(rates["slot"])),
            f"importance of slots (loss without them), Gini: {estimates.mean(concentration).text(2)}; "
            f"other orders of the slots that stay exact: {percent(estimates.mean(rates['order']))}",
        )
    )
    return found
