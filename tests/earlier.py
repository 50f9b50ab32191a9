"""A run folder made to look as if an earlier version had written it."""

import json


def as_earlier_versions_wrote(folder):
    """Rewrite a folder's records as they were until November 2026: no kinds, and two other names."""
    for path in folder.glob("stage[123].jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            for name in ("kind", "problem_restart", "variant"):
                del record[name]
            if "steps_to_exact" in record:
                record |= {"exact_step": record.pop("steps_to_exact"), "confirmed": record["reconstructed"]}
                # teacher forcing was asked for, too: a near tie could part them
                record["reconstructed"] = record["confirmed"] and all(
                    v["teacher_forced_exact"] for v in record["views"]
                )
            for view in record["views"]:
                del view["kind"]
                if record["stage"] < 3:
                    view["reconstructed"] &= view["teacher_forced_exact"]
                if record["stage"] == 3:
                    view["exact"] = view.pop("reconstructed")
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
