"""Whether two runs are one: by the settings that decide results, and by what was loaded, not by what it was called."""

from collections.abc import Iterator


def found_again(old: dict, new: dict) -> dict:
    """An old identity as it would be called now: the same pairs are the same, wherever their file lies."""
    if old.get("data_fingerprint") != new.get("data_fingerprint"):
        return old
    return {**old, "data": {**old["data"], "dataset": new["data"]["dataset"]}}


def differing(old: dict, new: dict, prefix: str = "") -> Iterator[str]:
    """One line for each setting in which two nested configurations differ."""
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from differing(before, now, f"{prefix}{key}.")
        elif before != now:
            yield f"{prefix}{key}: {before!r} there, {now!r} now"
