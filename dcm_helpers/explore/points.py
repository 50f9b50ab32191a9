"""Contents as points to explore: where they lie, what is near, what is written from them, and what is known of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np
import pandas as pd
import torch

from dcm_helpers.errors import InputError, require
from dcm_helpers.explore.kept import kept
from dcm_helpers.generator import Generator
from dcm_helpers.look import cluster_labels, features, nearest_by_cosine, plane
from dcm_helpers.markup import harmless, shortened
from dcm_helpers.pairs import Pair
from dcm_helpers.runs import Run, problem_of
from dcm_helpers.shapes import Contents, Float
from dcm_helpers.stm import Decoded, Problem, View, greedy_decode, view_rows

Summary = Literal["mean slot", "flattened"]
NEIGHBORS = 5
DECODED = 200
"""Token probabilities are computed ahead for at most this many contents of a run; others have their stored text."""


@dataclass(frozen=True)
class Cloud:
    """Points that belong together: the contents of a run, or where these began."""

    name: str
    run: Run
    records: Sequence[dict]
    contents: Contents
    """On the CPU."""
    starts: bool = False


def clouds_of(runs: Sequence[Run], starts: bool) -> list[Cloud]:
    """The contents of several runs, each after its starts if they are asked for.

    Raises:   InputError if there is nothing to explore, or the runs were made with different Generators
    """
    require(bool(runs), "there is no run to explore")
    prints = {run.name: run.folder.manifest["generator"]["fingerprint"] for run in runs}
    require(
        len(set(prints.values())) == 1,
        f"{' and '.join(prints)} were made with different Generators, whose contents cannot be compared; explore them "
        "apart",
    )
    clouds = []
    for run in runs:
        records = run.records(2)
        require(bool(records), f"{run.name} has no finished problem of stage 2 to explore; run that stage first")
        name = "content*" if len(runs) == 1 else run.name
        if starts:
            clouds.append(Cloud(f"start of {name}", run, records, run.starts.cpu(), starts=True))
        clouds.append(Cloud(name, run, records, torch.stack([run.content(record) for record in records])))
    return clouds


class Points:
    """The points of several clouds in one plane.

    Args:     kind  what of a content becomes a point: the mean of its slots, or all of them side by side (then all
              contents need the same number of slots)
    Raises:   InputError if contents cannot be compared
    """

    def __init__(self, clouds: Sequence[Cloud], kind: Summary = "mean slot"):
        self.clouds = list(clouds)
        self.kind = kind
        shapes = {cloud.contents.shape[1] for cloud in clouds}
        require(
            kind == "mean slot" or len(shapes) == 1,
            f"contents with {' and '.join(map(str, sorted(shapes)))} slots cannot lie side by side; use 'mean slot'",
        )

    @cached_property
    def features(self) -> Float[np.ndarray, "N F"]:
        """One vector for each point, standardized over all of them."""
        slots = [cloud.contents.float() for cloud in self.clouds]
        if self.kind == "mean slot":
            slots = [each.mean(1, keepdim=True) for each in slots]
        return features(torch.cat(slots), "flattened")

    @cached_property
    def places(self) -> tuple[Float[np.ndarray, "N 2"], str]:
        """Positions from 0 to 1, and by which method; kept in the first run's folder."""

        def make() -> dict:
            positions, method = plane(self.features)
            return {"method": method, "kind": self.kind, "positions": positions.round(4).tolist()}

        # what is stored, rather than features, whose last digits differ between machines
        stored = b"".join(cloud.contents.float().numpy().tobytes() for cloud in self.clouds)
        found = kept(self.clouds[0].run.folder.path, "plane", self.kind.encode() + stored, make)
        positions = np.array(found["positions"])
        low, high = positions.min(0), positions.max(0)
        return (positions - low) / np.where(high > low, high - low, 1), found["method"]

    @cached_property
    def _pairs(self) -> list[tuple[dict[str, Pair], str]]:
        return [known_pairs(cloud.run) for cloud in self.clouds]

    @property
    def missing(self) -> str:
        """Why topics are not known, where they are not; empty otherwise."""
        return " ".join(dict.fromkeys(reason for _, reason in self._pairs if reason))

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each point.

        Returns:  columns problem, pair, question, answer, topic, type, steps (to exact; none for a start), loss (nats
                  per token, sum over views; none for a start), cluster, run, K, restart, set (its cloud), x, y
        """
        rows = []
        for number, cloud in enumerate(self.clouds):
            pairs = self._pairs[number][0]
            for record in cloud.records:
                pair = pairs.get(record["pair"])
                texts = {view["kind"]: view["target_text"] for view in record["views"]}
                rows.append(
                    {
                        "problem": harmless(record["problem"]),
                        "pair": harmless(record["pair"]),
                        "question": harmless(texts.get("question", "")),
                        "answer": harmless(texts.get("answer", "")),
                        "topic": shortened(harmless((pair and pair.topic) or "no topic")),
                        "type": shortened(harmless((pair and pair.question_type) or "no type")),
                        "steps": None if cloud.starts else record["steps_to_exact"],
                        "loss": None if cloud.starts else record["loss"],
                        "run": cloud.run.name,
                        "K": record["K"],
                        "restart": record["problem_restart"] or 0,
                        "set": number,
                    }
                )
        table = pd.DataFrame(rows)
        contents = np.array([not self.clouds[number].starts for number in table["set"]])
        labels, _ = cluster_labels(self.features[contents], reduce="PCA")
        table["cluster"] = "no cluster"
        table.loc[contents, "cluster"] = ["no cluster" if label < 0 else f"cluster {label + 1}" for label in labels]
        (table["x"], table["y"]) = self.places[0].T
        return table

    @cached_property
    def neighbors(self) -> list[list[tuple[int, float]]]:
        """The nearest other points of each point, with their cosine: starts among starts, contents among contents."""
        found: list[list[tuple[int, float]]] = [[] for _ in range(len(self.features))]
        starts = np.array([self.clouds[number].starts for number in self.table["set"]])
        for group in (np.flatnonzero(starts), np.flatnonzero(~starts)):
            nearest, cosines = nearest_by_cosine(self.features[group], NEIGHBORS)
            for place, others, similarities in zip(group, nearest, cosines, strict=True):
                found[place] = [(int(group[o]), round(float(s), 3)) for o, s in zip(others, similarities, strict=True)]
        return found

    def written(self) -> list[list[dict] | None]:
        """What is written from each point, view by view: :func:`told`; None for starts. Kept in the runs' folders."""
        found: list[list[dict] | None] = []
        for cloud in self.clouds:
            if cloud.starts:
                found += [None] * len(cloud.records)
                continue
            first = cloud.records[:DECODED]
            settings = [record["content"] for record in first]
            found += kept(cloud.run.folder.path, "decodes", settings, partial(self._decoded, cloud, first))["views"]
            found += [[stored(view) for view in record["views"]] for record in cloud.records[DECODED:]]
        return found

    def _decoded(self, cloud: Cloud, records: Sequence[dict]) -> dict:
        """What greedy decoding writes from some contents, as it is kept."""
        problems = [problem_of(self.generator, record) for record in records]
        decoded = iter(decode_views(self.generator, problems, cloud.contents[: len(records)]))
        return {"views": [[told(self.generator, view, next(decoded)) for view in each.views] for each in problems]}

    @property
    def generator(self) -> Generator:
        """The Generator of all runs; loaded when something must be decoded."""
        return self.clouds[0].run.generator


def decode_views(
    generator: Generator,
    problems: Sequence[Problem],
    contents: Contents,
    follow: Callable[[dict[int, Decoded]], None] | None = None,
) -> list[Decoded]:
    """What greedy decoding writes from each content, in every view, one after the other."""
    rows = view_rows(generator, problems)
    return greedy_decode(generator, rows, contents.to(generator.device), contents.shape[1], follow)


def told(generator: Generator, view: View, decoded: Decoded) -> dict:
    """A decode as the page of points has it: mode, target, whether it is exact, and tokens with probabilities."""
    tokens = [
        ["⏎" if token == generator.eos_id else harmless(generator.text((token,))), round(probability, 3)]
        for token, probability in zip(decoded.ids, decoded.probabilities, strict=True)
    ]
    return {
        "mode": view.name,
        "target": harmless(view.target_text),
        "exact": view.is_written(decoded.ids),
        "tokens": tokens,
    }


def stored(view: dict) -> dict:
    """A stored view as :func:`told` has it, without probabilities."""
    return {
        "mode": view["mode"],
        "target": harmless(view["target_text"]),
        "exact": view["reconstructed"],
        "text": harmless(view["decoded_text"]),
    }


def known_pairs(run: Run) -> tuple[dict[str, Pair], str]:
    """The run's pairs by id; where the data set is gone or has changed, none, and why, so that contents can be seen."""
    try:
        return run.pairs, ""
    except InputError as error:
        return {}, f"Topics are not known here: {error}"
