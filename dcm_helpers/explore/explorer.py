"""The content explorer: contents in a plane, beside what the Generator writes from the one that is chosen.

It is one HTML output that works without a kernel, in a page that was mailed, too; a kernel that hears it decodes what
is disturbed. The page's own part is in the folder `panel`.
"""

import base64
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import pandas as pd

from dcm_helpers.errors import InputError
from dcm_helpers.explore.change import Change
from dcm_helpers.explore.points import Points, Summary, clouds_of, decode_views, told
from dcm_helpers.generator import Generator, nearest_tokens, token_text
from dcm_helpers.markup import escaped, script_data
from dcm_helpers.runs import Run, problem_of
from dcm_helpers.shapes import Content
from dcm_helpers.show import PICTURES, cluster_map, color_of, colors_of
from dcm_helpers.stm import Decoded
from dcm_helpers.watch import Wire

PANEL = Path(__file__).parent / "panel"
COLUMNS = [
    *("problem", "pair", "question", "answer", "topic", "type", "steps", "loss"),
    *("cluster", "run", "K", "restart", "set", "x", "y"),
]
"""Of a point, in the order in which the page has them."""
CATEGORIES = {
    **{"topic": "topic", "type": "question type", "cluster": "cluster"},
    **{"run": "run", "K": "K", "restart": "restart"},
}
NUMBERS = {"steps": "steps to exact", "loss": "loss (nats per token)"}
TOLD_OF = {"UMAP": "Near points are alike; gaps between groups and their sizes mean nothing."}
TELL_SECONDS = 0.15
DRAWN = 2000
"""The picture that stands where scripts do not run draws at most this many points."""


class Explorer:
    """Contents of one or several runs to explore; the last line of a cell shows it.

    Several runs, and the starts of contents, are sets of points in one plane. Hover, click, search, draw around points,
    color them; disturb the one that is chosen and read what comes out.

    >>> dcm.Explorer(run, starts=True)

    Args:     starts  whether the starts are shown, too; kind  what of a content becomes a point
    """

    def __init__(self, *runs: Run, starts: bool = False, kind: Summary = "mean slot"):
        self.points = Points(clouds_of(runs, starts), kind)
        self._wire = Wire(self.hear)

    def _repr_mimebundle_(self, **_) -> dict:
        drawn = PICTURES.picture(self.figure().to_dict())
        forms = {"text/html": self.page(), "text/plain": self.text()}
        return forms if drawn is None else {**forms, "image/png": base64.b64encode(drawn).decode()}

    @property
    def generator(self) -> Generator:
        """The Generator of all runs; loaded when something must be decoded."""
        return self.points.generator

    @cached_property
    def records(self) -> list[dict]:
        """The record behind each point."""
        return [record for cloud in self.points.clouds for record in cloud.records]

    @cached_property
    def contents(self) -> list[Content]:
        """The content, or the start, of each point."""
        return [content for cloud in self.points.clouds for content in cloud.contents]

    @property
    def first(self) -> int:
        """The point that is chosen at the beginning: the first content."""
        return next(index for index, number in enumerate(self.points.table["set"]) if not self._starts(number))

    def _starts(self, number: int) -> bool:
        return self.points.clouds[number].starts

    def change(self, wanted: dict) -> Change:
        """What the page's controls ask for, as a change of a content."""
        table, swapped = self.points.table, wanted.get("swapped")
        same = table.index[(table["problem"] == wanted.get("other")) & ~table["set"].map(self._starts)]
        return Change(
            blend_with=self.contents[same[0]] if len(same) else None,
            blend=float(wanted.get("blend", 0)),
            emptied=tuple(wanted.get("emptied") or ()),
            swapped=tuple(swapped) if swapped and swapped[0] != swapped[1] else None,
            noise=float(wanted.get("noise", 0)),
            seed=int(wanted.get("seed", 0)),
        )

    def decode(
        self, point: int, change: Change, follow: Callable[[list[dict]], None] | None = None
    ) -> tuple[Content, list[dict]]:
        """A point's content after a change, and what is written from it in every view.

        Args:     follow  is told a few times a second what was written so far
        """
        problem, content = problem_of(self.generator, self.records[point]), change.of(self.contents[point])
        told_at = time.monotonic()

        def so_far(written: dict[int, Decoded]) -> None:
            nonlocal told_at
            if follow is not None and time.monotonic() - told_at >= TELL_SECONDS:
                told_at = time.monotonic()
                follow([told(self.generator, problem.views[index], written[index]) for index in sorted(written)])

        decoded = decode_views(self.generator, [problem], content[None], so_far)
        views = zip(problem.views, decoded, strict=True)
        return content, [told(self.generator, view, written) for view, written in views]

    def hear(self, message: dict) -> None:
        """Answer the page: decode the point that it asks for, and tell what is written as it is written."""
        if not 0 <= message.get("point", -1) < len(self.contents):
            return

        def follow(views: list[dict]) -> None:
            self._wire.send({**message, "partial": True, "views": views})

        try:
            content, views = self.decode(message["point"], self.change(message["change"]), follow)
            self._wire.send({**message, "views": views, "slots": self.slots(content)})
        except InputError as error:  # the run has traveled, and its Generator has not
            self._wire.send({**message, "error": str(error)})

    def slots(self, content: Content) -> list[tuple]:
        """For each slot: its number, norm, and nearest tokens by distance and by direction."""
        near = nearest_tokens(self.generator, content)
        tokens = [
            [token_text(self.generator, each) for each in ids.tolist()] for ids in (near.token, near.cosine_token)
        ]
        figures = [[round(each, 2) for each in column.tolist()] for column in (near.norm, near.distance, near.cosine)]
        norm, distance, cosine = figures
        return list(zip(range(1, len(content) + 1), norm, tokens[0], distance, tokens[1], cosine, strict=True))

    @cached_property
    def data(self) -> dict:
        """What the page knows without a kernel."""
        table, clouds = self.points.table, self.points.clouds
        written = self.points.written()
        rows = table[COLUMNS].astype(object).where(table[COLUMNS].notna(), None).values.tolist()
        for row, neighbors, decodes in zip(rows, self.points.neighbors, written, strict=True):
            row[-2:] = [round(place, 4) for place in row[-2:]]
            row += [neighbors, decodes]
        return {
            "wire": self._wire.id,
            "columns": [*COLUMNS, "neighbors", "decodes"],
            "points": rows,
            "sets": [{"name": cloud.name, "hollow": cloud.starts} for cloud in clouds],
            "fields": fields_of(table, [cloud.name for cloud in clouds]),
            "color": "topic",
            "first": self.first,
            "slots": max(cloud.contents.shape[1] for cloud in clouds),
            "similarity": f"cosine of the {self.points.kind}, standardized",
            "method": f"{self.points.places[1]} of the {self.points.kind}, standardized. "
            f"{TOLD_OF.get(self.points.places[1], '')} {self.points.missing}".strip(),
        }

    def page(self) -> str:
        """The explorer as HTML; until its script runs, and where none may, a picture and the first decode."""
        data = script_data({**self.data, "css": (PANEL / "panel.css").read_text()})
        script = "".join((PANEL / name).read_text() for name in ("map.js", "content.js", "panel.js"))
        still = base64.b64encode(self.drawing().encode()).decode()
        lines = "".join(f"<div>{escaped(line)}</div>" for line in self.text().splitlines())
        return (
            f'<div class="dcm-explorer" id="dcm-{self._wire.id}"><img alt="contents in a plane, by topic" '
            f'src="data:image/svg+xml;base64,{still}">{lines}</div>'
            f"<script>(() => {{ const root = document.currentScript?.previousElementSibling ?? "
            f'document.getElementById("dcm-{self._wire.id}");\n{script}\n'
            f"dcmExplorer(root, {data}); }})();</script>"
        )

    def text(self) -> str:
        """The first content's decode in words."""
        lines = [f"{len(self.contents)} points; {self.points.table['problem'][self.first]}:"]
        for view in self.data["points"][self.first][-1]:
            wrote = view.get("text") or "".join(token for token, _ in view["tokens"])
            lines.append(f"mode {view['mode']} writes {wrote!r} ({'exactly' if view['exact'] else 'not'} the target)")
        return "\n".join(lines)

    def figure(self):
        """The points as an ordinary figure, colored by topic, without the starts."""
        table = self.points.table
        ends = table[[not self._starts(number) for number in table["set"]]]
        return cluster_map(ends, "Contents in a plane", "topic", self.points.places[1])

    def drawing(self) -> str:
        """A small picture of the points."""
        dots = "".join(
            f'<circle cx="{12 + 576 * row.x:.0f}" cy="{348 - 336 * row.y:.0f}" r="4" fill="{color_of(row.topic)}" '
            f'fill-opacity="{0.35 if self._starts(row.set) else 0.9}"/>'
            for row in self.points.table.head(DRAWN).itertuples()
        )
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="360">{dots}</svg>'


def fields_of(table: pd.DataFrame, sets: list[str]) -> list[dict]:
    """What points can be colored by: categories with the colors of their names, and numbers with their range."""
    fields = []
    for key, name in CATEGORIES.items():
        values = {str(value): value for value in table[key]}
        if len(values) > 1 or key == "topic":
            fields.append({"key": key, "name": name, "colors": colors_of(values)})
    if len(sets) > 1:
        fields.append({"key": "setName", "name": "set", "colors": colors_of(sets)})
    for key, name in NUMBERS.items():
        values = table[key].dropna()
        if len(values) and values.max() > values.min():
            low, high = (float(f"{each:.2g}") for each in (values.min(), values.max()))
            fields.append({"key": key, "name": name, "low": low, "high": high, "log": bool(values.min() > 0)})
    return fields
