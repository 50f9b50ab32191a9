"""Findings about what is reconstructed: success, capacity, and the controls that could refute shared structure."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from dcm_helpers import estimates
from dcm_helpers.findings import Finding, paired, per_problem, percent
from dcm_helpers.study import CAPACITIES, K, Study, size_part

BITS = 1 / np.log(2)
"""Bits in a nat."""


def success(study: Study) -> list[Finding]:
    """How often, by decoding and by teacher forcing; what makes a pair hard; how much information a content gives."""
    texts = study.table("surprisal")
    sums = texts.groupby("pair")[["tokens", "nats_without", "nats_with", "nats_context", "prompt_tokens"]].sum()
    kinds = texts.drop_duplicates("pair").set_index("pair")[["topic", "question_type"]]
    of = per_problem(study, "base").set_index("pair").join(sums).join(kinds)
    groups = {f"{kind} {name}": flags for kind in kinds for name, flags in of.groupby(kind)["reconstructed"]}
    lowest = min(groups, key=lambda name: groups[name].mean())
    gain, context = ((of["nats_without"] - of[name]) * BITS for name in ("nats_with", "nats_context"))
    slower = of.groupby("question_type")["steps"].median()
    exact = estimates.share(of["reconstructed"])
    return [
        Finding(
            "1 success",
            f"written exactly by greedy decoding, K={K}",
            percent(exact),
            f"teacher-forced exact {percent(estimates.share(of['forced']))}; lowest group: {lowest}, "
            f"{percent(estimates.share(groups[lowest]))}",
            "Do good targets exist?",
            "yes" if exact.low > 0.9 else "for most pairs" if exact.low > 0.5 else "not for most pairs",
        ),
        Finding(
            "1 success",
            "rank correlation of steps to exact with surprisal",
            estimates.correlation(of["steps"], of["nats_without"]).text(2),
            f"with tokens {estimates.correlation(of['steps'], of['tokens']).text(2)}; median steps by question type "
            f"from {slower.min():.0f} ({slower.idxmin()}) to {slower.max():.0f} ({slower.idxmax()})",
        ),
        Finding(
            "1 success",
            "information gain, bits a pair",
            estimates.mean(gain).text(),
            f"from the context as text {estimates.mean(context).text()}",
        ),
        Finding(
            "7f context",
            f"nats a pair, after {K} slots and a mode",
            estimates.mean(of["nats_with"]).text(2),
            f"after prompts of {of['prompt_tokens'].mean() / 2:.0f} tokens with the context "
            f"{estimates.mean(of['nats_context']).text()}",
        ),
    ]


def capacity(study: Study) -> list[Finding]:
    """What fits into so many slots, and what decides how hard that is with the fewest."""
    sizes = sorted([K, *(size for size in CAPACITIES if study.complete(size_part(size)))])
    tables = {size: per_problem(study, size_part(size)).set_index("pair") for size in sizes}
    texts = study.table("surprisal").groupby("pair")[["tokens", "nats_without"]].sum()
    enough = next((size for size in sizes if estimates.share(tables[size]["reconstructed"]).low > 0.5), None)
    answer = f"{enough} for most" if enough else f"more than {sizes[-1]}"
    found = []
    for size, table in tables.items():
        done = table["reconstructed"]
        gain = (texts["nats_without"] - nats_with(study, size_part(size)))[done.index[done]] * BITS / size
        found.append(
            Finding(
                "6 capacity",
                f"exact with K={size}",
                percent(estimates.share(done)),
                f"steps to exact: median {table['steps'].median():.0f}"
                + (f"; loss: median {table['loss'].median():.2g} nats" if table["loss"].notna().all() else "")
                + (f"; bits a slot of exact ones: mean {gain.mean():.1f}, most {gain.max():.1f}" if len(gain) else ""),
                *(("How many slots does a pair need?", answer) if size == (enough or sizes[-1]) else ()),
            )
        )
    exact = pd.DataFrame({size: table["reconstructed"] for size, table in tables.items()}).dropna()
    fewest = exact.apply(lambda row: next((size for size in sizes if row[size]), np.inf), axis=1)
    # where no pair is solved, all have the same steps, and those tell nothing
    telling = next((size for size in sizes if tables[size]["steps"].nunique() > 1), sizes[-1])
    steps = tables[telling]["steps"]
    surprise, tokens = (texts.loc[steps.index, name] for name in ("nats_without", "tokens"))
    found.append(
        Finding(
            "6 capacity",
            f"rank correlation of steps to exact with surprisal, K={telling}",
            estimates.correlation(steps, surprise).text(2),
            f"with tokens {estimates.correlation(steps, tokens).text(2)}; fewest slots: "
            + ", ".join(f"{count} pairs {size:g}" for size, count in fewest.value_counts().sort_index().items()),
        )
    )
    return found


def nats_with(study: Study, part: str) -> pd.Series:
    """Nats of all targets of each pair after its content."""
    return pd.Series(
        {
            record["pair"]: sum(view["loss"] * len(view["target_ids"]) for view in record["views"])
            for record in study.records(part)
        }
    )


def side_by_side(question: str, name: str, first: pd.DataFrame, second: pd.DataFrame, asked: str = "") -> Finding:
    """Steps, loss and success of two conditions on the same pairs in the same order."""
    steps = estimates.ratio(first["steps"] + 1, second["steps"] + 1)
    difference, p = estimates.share_difference(first["reconstructed"], second["reconstructed"])
    shares = [100 * each["reconstructed"].mean() for each in (first, second)]
    minimized = first["loss"].notna().all() and second["loss"].notna().all()
    losses = f"loss ratio {estimates.ratio(first['loss'], second['loss']).text(2)}; " if minimized else ""
    return Finding(
        question,
        f"{name}: steps to exact, as a ratio",
        f"{steps.text()}; exact {shares[0]:.0f} and {shares[1]:.0f} %",
        f"{losses}difference of exact ones {percent(difference)}, p={p:.2g}",
        asked,
        "fewer steps" if steps.high < 1 else "more steps" if steps.low > 1 else "not shown",
    )


def compared(question: str, name: str, one: str, other: str, asked: str = "") -> Callable[[Study], list[Finding]]:
    """A finding on two parts, pair by pair."""
    return lambda study: [side_by_side(question, name, *paired(study, one, other), asked)]


def split(size: int) -> Callable[[Study], list[Finding]]:
    """One content for two texts against halves that share nothing, at equal K; for texts that do not belong together,
    too: what they gain is no sharing of structure, only of room.
    """

    def find(study: Study) -> list[Finding]:
        true, mismatched = (with_halves(study, size, part) for part in (size_part(size), f"mismatched-K{size}"))
        asked = f"Is one content for both easier than two halves, K={size}?"
        also = f"Also for texts that do not belong together, K={size}?"
        return [
            side_by_side("7d split", f"shared content over halves, K={size}", *true, asked),
            side_by_side("7d split", f"the same for mismatched pairs, K={size}", *mismatched, also),
        ]

    return find


def with_halves(study: Study, size: int, part: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The records of a part whose texts both have a half content of their own, and what both halves are together."""
    halves = per_problem(study, f"split-K{size}")
    of_text = {tuple(half["views"][0]["target_ids"]): half["problem"] for half in study.records(f"split-K{size}")}
    whole, names, together = per_problem(study, part), [], []
    for record in study.records(part):
        texts = [tuple(view["target_ids"]) for view in record["views"]]
        if all(text in of_text for text in texts):
            both = halves.loc[[of_text[text] for text in texts]]
            names.append(record["problem"])
            together.append((both["reconstructed"].all(), both["loss"].sum(), both["steps"].max()))
    return whole.loc[names], pd.DataFrame(together, index=names, columns=["reconstructed", "loss", "steps"])


def routing(study: Study) -> list[Finding]:
    """Whether the mode routes, or the content does."""
    table, found = study.table("routing"), []
    for change in ("swapped", "removed", "other words"):
        texts, followed = [], []
        for view in ("Q", "A"):
            wrote = table[(table["modes"] == change) & (table["view"] == view)]["wrote"]
            other, own = (percent(estimates.share(wrote == which)) for which in ("other", "own"))
            followed.append(estimates.share(wrote == "other").low > 0.5)
            texts.append(f"in {view}'s place the other text {other}, its own {own}")
        headline = ("Does the mode say which text is written?", "yes" if all(followed) else "not always")
        found.append(
            Finding(
                "7e mode", f"what is written with modes {change}", *texts, *(headline if change == "swapped" else ())
            )
        )
    return found


def transfer(study: Study) -> list[Finding]:
    """Whether a content raises the likelihood of phrasings that it was not found for."""
    table, found = study.table("transfer"), []
    for view, name in (("Q", "question"), ("A", "answer")):
        unseen = table[(table["view"] == view) & table["held_out"]]
        unseen = unseen.assign(per_token=unseen["nats"] / unseen["tokens"])
        cost = unseen.pivot(index="pair", columns="content", values="per_token")
        gain, alone = (estimates.mean(cost["own"] - cost[which]) for which in ("mismatched", "none"))
        found.append(
            Finding(
                "8 transfer",
                f"nats a token of an unseen {name} paraphrase, own content minus another pair's",
                f"{gain.text()}; minus none {alone.text()}",
                f"own {cost['own'].mean():.2f}, another's {cost['mismatched'].mean():.2f}, none "
                f"{cost['none'].mean():.2f}; found for other paraphrases minus own "
                f"{estimates.mean((cost['class'] - cost['own']).dropna()).text()}",
                f"Does a content make unseen paraphrases of its {name} likelier?",
                likelier(gain, alone),
            )
        )
    return found


def likelier(gain: estimates.Estimate, alone: estimates.Estimate) -> str:
    """What costs after the own content say, less those after another's and less those after none."""
    if gain.high < 0 and alone.high < 0:
        return "yes"
    if gain.high < 0:
        return "than another's content does, yes; than none does, " + ("no" if alone.low > 0 else "not shown")
    return "no, less likely" if gain.low > 0 else "not shown"
