"""Whether a record agrees with itself: what its form alone does not say."""

from dcm_helpers.errors import require


def require_sense(record: dict, stage: int, where: str, way_out: str) -> dict:
    """A record of the right form, if what it says of itself can be true.

    Raises:   InputError in one line: the place, and what contradicts what
    """
    for wrong in contradictions_of_decoding(record) if stage == 3 else contradictions(record, stage):
        require(False, f"{where}: {wrong}; {way_out}")
    return record


def contradictions(record: dict, stage: int) -> list[str]:
    """What of a record of stage 1 or 2 cannot be true, each in a few words."""
    views = record["views"]
    written = [view["decoded_ids"] == view["target_ids"] for view in views]
    found = []
    if record["stage"] != stage:
        found.append(f"it says that it is of stage {record['stage']}")
    if [view["reconstructed"] for view in views] != written or record["reconstructed"] != all(written):
        found.append("it says reconstructed where what was written is not the target, or the other way round")
    if record["best_step"] > record["steps"] or (record["steps_to_exact"] or 0) > record["steps"]:
        found.append("its best or first exact step lies behind its last")
    if stage == 2 and record["converged"] is not None:
        for view in views:
            if not (view.get("baselines") or {}).get("random") or "converged_by" not in view:
                found.append("it says whether it converged, and lacks the baselines that decide it")
    return found


def contradictions_of_decoding(record: dict) -> list[str]:
    """What of a record of stage 3 cannot be true, each in a few words."""
    right = [view["reconstructed"] for view in record["views"]]
    found = []
    if record["stage"] != 3:
        found.append(f"it says that it is of stage {record['stage']}")
    if (record["outcome"] == "pass") != all(right):
        found.append(f"it says {record['outcome']!r} with {sum(right)} of {len(right)} views reconstructed")
    if any(view["reconstructed"] and not view["exact_match"] for view in record["views"]):
        found.append("it says that a reconstructed text is another than the target")
    return found
