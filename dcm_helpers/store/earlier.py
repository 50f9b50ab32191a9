"""Records as earlier versions wrote them, read as today's: so a run that was stored once stays readable."""

from collections.abc import Iterator

KINDS = ("question", "answer", "joint")
"""Kinds of problems whose ids earlier versions made."""


def as_today(record: dict) -> dict:
    """A stored record with the fields that are written today; one that has them all is left alone.

    Until November 2026 what a problem is stood in its id alone, and the first exact step was called ``exact_step``;
    ``reconstructed`` asked for teacher forcing beside the decoder, whose word alone was ``confirmed``; and a view that
    stage 3 found reconstructed was called ``exact``. What a mismatched problem was, its id never said.
    """
    if "kind" in record:
        return record
    record = renamed(record)
    if "confirmed" in record:
        record["reconstructed"] = record.pop("confirmed")
    fields = next((fields for name, fields in ids_of(record) if name == record["problem"]), {})
    views = [
        {"kind": kind, **judged(renamed(view))}
        for view, kind in zip(record["views"], kinds_of_views(record, fields), strict=True)
    ]
    return {**record, "kind": "joint", "problem_restart": 0, "variant": "", **fields, "views": views}


def renamed(stored: dict) -> dict:
    """A record or a view with today's names."""
    names = {"exact_step": "steps_to_exact", "exact": "reconstructed"}
    return {names.get(name, name): value for name, value in stored.items()}


def judged(view: dict) -> dict:
    """A view with the decoder's word on it; stage 3 kept no target ids, and its word as it is."""
    if "target_ids" not in view:
        return view
    return {**view, "reconstructed": view["decoded_ids"] == view["target_ids"]}


def ids_of(record: dict) -> Iterator[tuple[str, dict]]:
    """The ids that an earlier version could have given to a problem of the record's pair, each with what it said."""
    for kind in KINDS:
        yield f"{record['pair']}/{kind}", {"kind": kind}
    yield f"{record['pair']}/rephrased", {"variant": "rephrased"}
    for view in record["views"]:
        yield f"{record['pair']}/joint/{view['mode']}", {"variant": "view apart"}
    for restart in range(1, 100):
        yield f"{record['pair']}/joint/restart {restart}", {"problem_restart": restart}


def kinds_of_views(record: dict, fields: dict) -> list[str]:
    """What each view's target was of its pair: told by the problem's kind, or by the views' order."""
    views = record["views"]
    if fields.get("kind", "joint") != "joint":
        return [fields["kind"]]
    if len(views) == 1:
        return [{"Q": "question", "A": "answer"}.get(views[0]["mode"], "")]
    first = views[0]["mode"]
    return ["question" if view["mode"] == first else "answer" for view in views]
