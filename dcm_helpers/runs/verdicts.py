"""What the records of a run add up to: rates with intervals, gates, the mission's table, and its readings.

Records in, plain dictionaries out. Rates carry n and a 95 % Wilson interval.
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dcm_helpers.config import MODES, Kind
from dcm_helpers.errors import require
from dcm_helpers.stats import rate
from dcm_helpers.store import STAGES, RunFolder

RANDOM_FRACTION = 0.3
"""A view converges when its loss without EOS is below this fraction of its random baseline ..."""
CONTEXT_MULTIPLE = 2.0
"""... or below this multiple of its full-context baseline."""
STAGE1_GATE = 0.70
"""Share of single targets that must be reconstructed, or stage 2 is not begun."""
STAGE2_EARLY_PAIRS = 50
"""Stage 2 looks at its first pairs, by index, once all of these have ended ..."""
STAGE2_EARLY_RATE = 0.20
"""... and stops if fewer of them converged."""
STAGE2_WEAK, STAGE2_VIABLE = 0.30, 0.50
"""Shares of pairs that must converge for the readings 'weak' and 'supported'."""
STAGE3_BAR = 0.80
"""Share of converged pairs that should pass greedy decoding."""
TIERS = {
    "minimum viable": {"converged": 0.40, "random_ratio": 0.40, "context_ratio": 2.0},
    "good": {"converged": 0.70, "random_ratio": 0.25, "context_ratio": 1.5},
    "excellent": {"converged": 0.90, "random_ratio": 0.15, "context_ratio": 1.2},
}
"""A tier is reached when the convergence rate lies above, and the loss ratios lie below, all its bounds."""
HELPED = 0.5
"""A remedy tried on failures supports its reading when it helps at least this share of them."""


def converged_by(loss_text: float, baselines: dict[str, dict[str, float] | None]) -> list[str]:
    """The clauses of the convergence criterion that a view meets: 'random', 'full_context', both, or none.

    Both sides leave EOS out. A pair without context has only the first clause.

    Args:     loss_text  the view's loss without EOS, in nats per token
    """
    bounds = {"random": RANDOM_FRACTION, "full_context": CONTEXT_MULTIPLE}
    return [
        name
        for name, factor in bounds.items()
        if baselines.get(name) is not None and loss_text < factor * baselines[name]["loss_text"]
    ]


def spread(values: Sequence[float]) -> dict:
    """Mean, median and maximum of a list of numbers."""
    if not values:
        return {"mean": None, "median": None, "max": None}
    return {"mean": statistics.mean(values), "median": statistics.median(values), "max": max(values)}


def count(records: Iterable[dict], field: str) -> dict:
    """The rate at which a field of the records is true."""
    values = [bool(record[field]) for record in records]
    return rate(sum(values), len(values))


def optimization(records: Sequence[dict], expected: int) -> dict:
    """What every optimizing stage reports: reconstruction, steps, time, how problems ended.

    Of what was reconstructed, ``steps`` are all updates of the restart that the content comes from, and
    ``steps_to_exact`` those before its first exact content, which is what speed is measured on.
    """
    done = [record for record in records if record["reconstructed"]]
    return {
        "expected": expected,
        "complete": len(records) == expected,
        "reconstructed": count(records, "reconstructed"),
        "steps": spread([record["steps"] for record in done]),
        "steps_to_exact": spread([each["steps_to_exact"] for each in done if each["steps_to_exact"] is not None]),
        "restarts_used": sum(record["restarts_tried"] - 1 for record in records),
        "seconds": sum(record["seconds"] for record in records),
        "stop_reasons": dict(Counter(record["stop_reason"] for record in records)),
    }


def summarize_stage1(records: Sequence[dict], expected: int) -> dict | None:
    """Stage 1: single targets, questions and answers apart; the gate is on reconstruction over all.

    Args:     expected  how many records the stage has once it is complete
    Returns:  the summary, or None without records; ``gate_passed`` is None while the stage is incomplete, since easy
              problems end first
    """
    if not records:
        return None
    summary = optimization(records, expected)
    summary["targets"] = {
        kind: optimization([record for record in records if record["kind"] == kind], expected // len(MODES))
        for kind in MODES.values()
    }
    summary["gate_passed"] = summary["reconstructed"]["rate"] >= STAGE1_GATE if summary["complete"] else None
    return summary


def summarize_stage2(records: Sequence[dict], expected: int) -> dict | None:
    """Stage 2: joint pairs; verdict and tier are on convergence.

    Args:     expected  how many records the stage has once it is complete
    Returns:  the summary, or None without records; an incomplete stage has no tier, since easy problems end first
    """
    if not records:
        return None
    summary = optimization(records, expected)
    judged = [record for record in records if record["converged"] is not None]  # parts of the study have no baselines
    summary["converged"] = count(judged, "converged")
    views = [view for record in records for view in record["views"] if view["loss_text"] is not None]
    randoms = [(view["loss_text"], view["baselines"]["random"]["loss_text"]) for view in views if "baselines" in view]
    ratios = [loss / random for loss, random in randoms if random]
    summary["random_ratio"] = statistics.mean(ratios) if ratios else None
    summary["context_ratio"] = {kind: context_ratio(views_of(records, kind)) for kind in MODES.values()}
    summary["loss"] = spread([record["loss"] for record in records if record["loss"] is not None])
    summary["below_task"] = below_task(records)
    summary["tier"] = tier(summary) if judged and summary["complete"] else None
    shares = summary["converged"]["rate"], summary["reconstructed"]["rate"]
    summary["verdict"] = "none: without baselines" if not judged else "none: incomplete"
    if judged and summary["complete"]:
        summary["verdict"] = stage2_verdict(*shares)
    return summary


def views_of(records: Sequence[dict], kind: Kind) -> list[dict]:
    """The views of all records whose targets are texts of a kind."""
    return [view for record in records for view in record["views"] if view["kind"] == kind]


def below_task(records: Sequence[dict]) -> dict | None:
    """How often an answer costs less after its content than after a task-level prompt and its question as text.

    The mission asserts it of every pair. Both losses with EOS.

    Returns:  the rate, and as 'not_below' the pairs of which it is not true; None without that baseline
    """
    compared = {
        record["pair"]: view["loss"] is not None and view["loss"] < view["baselines"]["task"]["loss"]
        for record in records
        for view in record["views"]
        if view.get("baselines", {}).get("task")
    }
    if not compared:
        return None
    return rate(sum(compared.values()), len(compared)) | {
        "not_below": [pair for pair, below in compared.items() if not below]
    }


def context_ratio(views: Sequence[dict]) -> float | None:
    """Mean loss of a kind of view over the mean of its full-context baseline, both without EOS.

    A ratio of means, since a single pair's baseline can be almost 0 and would dominate a mean of ratios.
    """
    both = [
        (view["loss_text"], view["baselines"]["full_context"]["loss_text"])
        for view in views
        if view.get("baselines", {}).get("full_context") and view["loss_text"] is not None
    ]
    both = [(loss, baseline) for loss, baseline in both if baseline is not None]
    of_text = sum(baseline for _, baseline in both)
    return sum(loss for loss, _ in both) / of_text if of_text else None


def tier(summary: dict) -> str | None:
    """The highest tier of the mission's table that all three figures reach; None below the lowest.

    What converged by the letter and is not reconstructed does not count.

    The context column is left out where no pair has a context.
    """
    reached = None
    rate = min(summary["converged"]["rate"], summary["reconstructed"]["rate"])
    ratios = [ratio for ratio in summary["context_ratio"].values() if ratio is not None]
    for name, bounds in TIERS.items():
        if (
            rate > bounds["converged"]
            and summary["random_ratio"] is not None
            and summary["random_ratio"] < bounds["random_ratio"]
            and all(ratio < bounds["context_ratio"] for ratio in ratios)
        ):
            reached = name
    return reached


def stage2_verdict(converged: float, reconstructed: float) -> str:
    """The mission's reading of the convergence rate, unless reconstruction contradicts it.

    The criterion's second clause is lenient where the context as text says little about a target: then even random
    vectors meet it, and what is reconstructed tells.
    """
    if converged >= STAGE2_VIABLE > reconstructed:
        return (
            f"not supported: {converged:.0%} converge, by the criterion's lenient clause, but "
            f"{reconstructed:.0%} are reconstructed"
        )
    if converged < STAGE2_WEAK:
        return "not supported: fewer than 30 % of the pairs converge"
    if converged < STAGE2_VIABLE:
        return "weak: 30 to 50 % of the pairs converge"
    return "supported: at least 50 % of the pairs converge"


def too_few_converged(first: Sequence[str], converged: Mapping[str, bool]) -> bool:
    """Whether stage 2 should stop early: all of its first problems have ended and too few converged.

    Args:     first  ids of the first problems by index; converged  verdicts so far, by problem id
    """
    if len(first) < STAGE2_EARLY_PAIRS or any(problem not in converged for problem in first):
        return False
    return sum(converged[problem] for problem in first) / len(first) < STAGE2_EARLY_RATE


def summarize_stage3(records: Sequence[dict], expected: int) -> dict | None:
    """Stage 3: greedy decoding of converged pairs; the bar is on passes.

    Args:     expected  how many pairs are to be decoded
    """
    if not records:
        return None
    outcomes = Counter(record["outcome"] for record in records)
    summary: dict = {"expected": expected, "complete": len(records) >= expected}
    summary |= {name: rate(outcomes[name], len(records)) for name in ("pass", "partial", "fail")}
    for kind in MODES.values():
        views = views_of(records, kind)
        summary[kind] = {
            "reconstructed": count(views, "reconstructed"),
            "exact_match": count(views, "exact_match"),
            "f1": statistics.mean(view["f1"] for view in views),
            "clean_stop": count(views, "clean_stop"),
            "degenerate": dict(Counter(view["degeneration"] for view in views if view["degeneration"])),
        }
    summary["bar_passed"] = summary["pass"]["rate"] > STAGE3_BAR
    return summary


def reading(diagnosis: dict) -> str:
    """Which of the mission's readings a failed gate's numbers support.

    Args:     diagnosis  ``doubled_K`` and, after stage 2, ``views_alone``: the rates at which failures passed the
              stage's ``bar`` with 2K slots, and with each view alone at K slots; ``stop_reasons`` of the failures
    """
    doubled, alone = diagnosis["doubled_K"], diagnosis.get("views_alone")
    tried = {"twice the slots": doubled, "each view alone": alone}
    figures = ", ".join(f"{name} {rate['count']} of {rate['n']}" for name, rate in tried.items() if rate and rate["n"])
    if doubled["n"] and doubled["rate"] >= HELPED:
        finding = "K is too small"
    elif alone and alone["n"] and alone["rate"] >= HELPED:
        finding = "question and answer share no structure that the Generator can use"
    else:
        finding = "the optimizer stalled; try another lr or schedule, more steps, or another initialization"
    helped = f"failures that are {diagnosis['bar']} with {figures}" if figures else "no remedy fits"
    return f"{finding} ({helped}; they had ended as {counted(diagnosis['stop_reasons'])})"


def counted(reasons: dict) -> str:
    """How many ended for which reason, in words: '9 steps spent, 1 stalled'."""
    return ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in reasons.items())


def summarize(folder: RunFolder) -> dict:
    """What a folder's records say, by stage; None for a stage without records."""
    manifest = folder.manifest
    pairs, sessions = manifest["data"]["pairs"], manifest["sessions"]
    one, two, three = found = [folder.records(stage) for stage in STAGES]
    for stage, records, expected in zip(STAGES, found, (len(MODES) * pairs, pairs, pairs), strict=True):
        require(
            len(records) <= expected,
            f"{folder.path} has {len(records)} problems of stage {stage} and {pairs} pairs; some records are not its "
            "own",
        )
    converged = sum(record["converged"] or False for record in two)
    asked = sessions[-1].get("num_validate") if sessions else None  # earlier versions do not say
    return {
        "pairs": pairs,
        "stage1": summarize_stage1(one, expected=len(MODES) * pairs),
        "stage2": summarize_stage2(two, expected=pairs),
        "stage3": summarize_stage3(three, expected=min(converged, asked or converged)),
    }


def fell_short(stage: int, summary: dict) -> bool:
    """Whether a complete stage missed its gate, after which its failures are to be diagnosed."""
    found = summary[f"stage{stage}"]
    if found is None or not found["complete"]:
        return False
    if stage == 1:
        return not found["gate_passed"]
    return found["converged"]["n"] > 0 and found["converged"]["rate"] < STAGE2_WEAK
