"""Records and results as pandas tables, for notebooks and figures. Losses are in nats per token."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from dcm_helpers.errors import require
from dcm_helpers.pairs import Pair
from dcm_helpers.stats import rate
from dcm_helpers.store import RunFolder


class Tables:
    """The records of a run as pandas tables."""

    def __init__(self, folder: RunFolder, pairs: Callable[[], Mapping[str, Pair]]):
        self._folder = folder
        self._pairs = pairs

    def problems(self, stage: int = 2) -> pd.DataFrame:
        """One row for each finished problem of stage 1 or 2.

        Returns:  columns problem, pair, kind ('question', 'answer', 'joint'), reconstructed, converged, ended_as, steps
                  (updates in the restart that the content comes from), steps_to_exact (of these, those before its first
                  exact content; empty where there was none), tokens (of all targets, EOS included), loss (sum over
                  views)
        """
        rows = [
            {
                "problem": record["problem"],
                "pair": record["pair"],
                "kind": record["kind"],
                "reconstructed": record["reconstructed"],
                "converged": record["converged"],
                "ended_as": record["stop_reason"],
                "steps": record["steps"],
                "steps_to_exact": record["steps_to_exact"],
                "tokens": sum(len(view["target_ids"]) for view in record["views"]),
                "loss": record["loss"],
            }
            for record in self._folder.records(stage)
        ]
        return pd.DataFrame(rows)

    def convergence(self) -> pd.DataFrame:
        """One row for each view of stage 2: its loss without EOS, the clauses it converged by, and its baselines."""
        rows = [
            {
                "pair": record["pair"],
                "view": view["mode"],
                "loss": view["loss_text"],
                "converged by": " and ".join(view["converged_by"]) or "neither",
                **{name: loss["loss_text"] for name, loss in view["baselines"].items() if loss},
            }
            for record in self._folder.records(2)
            for view in record["views"]
            if "baselines" in view
        ]
        return pd.DataFrame(rows)

    def validation(self) -> pd.DataFrame:
        """One row for each view of stage 3: what was wanted, what was written, and how it went."""
        rows = [
            {
                "pair": record["pair"],
                "outcome": record["outcome"],
                "view": view["mode"],
                "wanted": view["target_text"],
                "written": view["decoded_text"],
                "reconstructed": view["reconstructed"],
                "F1": view["f1"],
                "stopped": view["clean_stop"],
                "repeated share": view["repeated_share"],
                "degeneration": view["degeneration"] or "",
            }
            for record in self._folder.records(3)
            for view in record["views"]
        ]
        return pd.DataFrame(rows)

    def texts(self) -> pd.DataFrame:
        """What each finished problem of stage 2 is about, one row each.

        Returns:  columns problem, question, answer, topic, question_type, decoded (all views)
        """
        rows, pairs = [], self._pairs()
        for record in self._folder.records(2):
            pair = pairs.get(record["pair"])
            require(pair is not None, f"{self._folder.path} has a record of {record['pair']!r}, which is no pair of it")
            rows.append(
                {
                    "problem": record["problem"],
                    "question": pair.question,
                    "answer": pair.answer,
                    "topic": pair.topic or "no topic",
                    "question_type": pair.question_type or "no type",
                    "decoded": " / ".join(view["decoded_text"] for view in record["views"]),
                }
            )
        return pd.DataFrame(rows)


def rate_table(table: pd.DataFrame, flag: str, by: Sequence[str]) -> pd.DataFrame:
    """How often a flag is true in each group, with its 95 % Wilson interval.

    Returns:  one row for each group in order of appearance: the columns ``by``, then count, n, rate, low, high
    """
    groups = table.groupby(list(by), sort=False)[flag]
    return pd.DataFrame(
        [dict(zip(by, names, strict=True)) | rate(int(flags.sum()), len(flags)) for names, flags in groups]
    )
