"""Poke at a content: disturb it, blend it with another one, swap or empty its slots, and read what comes out."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass

import ipywidgets
import plotly.graph_objects as go
from IPython.display import display

from dcm_helpers.config import require
from dcm_helpers.generator import Generator, nearest_tokens
from dcm_helpers.look import turned
from dcm_helpers.runs import Solution
from dcm_helpers.shapes import Content
from dcm_helpers.show.live import PLOTLY, WIDGET, LiveOutput, in_notebook
from dcm_helpers.stm import Decoded, Row, View, greedy_decode

NOBODY, NO_SLOT = "nothing", -1
LOW, HIGH = (213, 94, 0), (0, 158, 115)
"""Colors of improbable and probable tokens."""


@dataclass(frozen=True)
class Change:
    """What is done to a content before it is read, in the order of the fields."""

    blend_with: Content | None = None
    blend: float = 0.0
    """How far towards the other content: 0 is this one, 1 the other."""
    emptied: tuple[int, ...] = ()
    """Slots that are set to zero."""
    swapped: tuple[int, int] | None = None
    """Two slots that change places."""
    noise: float = 0.0
    """Norm of the noise added to each slot, as a fraction of the slot's own norm."""
    seed: int = 0

    def of(self, content: Content) -> Content:
        """The changed content."""
        changed = content.clone()
        if self.blend_with is not None and self.blend:
            changed = changed + self.blend * (self.blend_with - changed)
        changed[list(self.emptied)] = 0
        if self.swapped is not None:
            changed[list(self.swapped)] = changed[list(reversed(self.swapped))]
        if self.noise:
            changed = changed + self.noise * turned(changed, self.seed)
        return changed


class Explorer:
    """Controls beside what greedy decoding writes; without a widget front end, the table of what is chosen.

    >>> explorer = Explorer(run.generator, run.solutions)
    >>> explorer.show()
    """

    def __init__(self, generator: Generator, found: Sequence[Solution]):
        require(bool(found), "there is nothing to explore: the run has no finished problem at this stage")
        self.generator = generator
        self.found = {solution.problem.id: solution for solution in found}
        names = list(self.found)
        first = found[0]
        style = {"style": {"description_width": "90px"}}
        slots = [(f"slot {slot}", slot) for slot in range(len(first.content))]
        self.pair = ipywidgets.Dropdown(options=names, description="pair", **style)
        self.view = ipywidgets.ToggleButtons(options=view_names(first), description="mode", **style)
        self.noise = ipywidgets.FloatSlider(min=0, max=2, step=0.02, description="noise", **style)
        self.seed = ipywidgets.BoundedIntText(min=0, max=999, description="noise seed", **style)
        self.blend = ipywidgets.FloatSlider(min=0, max=1, step=0.02, description="blend", **style)
        self.other = ipywidgets.Dropdown(options=[NOBODY, *names], description="with", **style)
        self.emptied = ipywidgets.SelectMultiple(options=slots, rows=4, description="empty", **style)
        self.one = ipywidgets.Dropdown(options=[(NOBODY, NO_SLOT), *slots], description="swap", **style)
        self.two = ipywidgets.Dropdown(options=[(NOBODY, NO_SLOT), *slots], description="and", **style)
        self._controls = (
            *(self.view, self.noise, self.seed, self.blend),
            *(self.other, self.emptied, self.one, self.two),
        )
        self._output = LiveOutput()
        self.pair.observe(self._open_chosen, "value")
        for control in self._controls:
            control.observe(self._refresh, "value")

    def show(self) -> None:
        """Put controls and decode into the notebook's output."""
        if in_notebook():
            box = ipywidgets.VBox
            left = box([self.pair, self.view, self.noise, self.seed])
            right = box([self.emptied, ipywidgets.HBox([self.one, self.two]), self.blend, self.other])
            display(ipywidgets.HBox([left, right]))
        self._output = LiveOutput()
        self._refresh()

    def open(self, problem: str) -> None:
        """Choose a pair, with every disturbance taken back.

        Raises:   InputError if the run has no such problem
        """
        require(problem in self.found, f"there is no problem {problem!r} here; expected one of {', '.join(self.found)}")
        if self.pair.value == problem:
            self._open_chosen()
        self.pair.value = problem

    def change(self) -> Change:
        """What the controls ask for."""
        other = self.found.get(self.other.value)
        swap = (self.one.value, self.two.value)
        return Change(
            blend_with=other.content if other else None,
            blend=self.blend.value,
            emptied=tuple(self.emptied.value),
            swapped=swap if NO_SLOT not in swap and swap[0] != swap[1] else None,
            noise=self.noise.value,
            seed=self.seed.value,
        )

    def decode(self) -> tuple[View, Content, Decoded]:
        """The chosen view, the content after the change, and what is written from it."""
        solution = self.found[self.pair.value]
        view = solution.problem.views[view_names(solution).index(self.view.value)]
        content = self.change().of(solution.content)
        row = Row.of(self.generator, view, slot=0)
        (decoded,) = greedy_decode(self.generator, [row], content[None].to(self.generator.device), K=len(content))
        return view, content, decoded

    def _open_chosen(self, _=None) -> None:
        """Another pair: take back every disturbance, then decode once."""
        fresh = Change()
        controls = {
            self.noise: fresh.noise,
            self.blend: fresh.blend,
            self.other: NOBODY,
            self.one: NO_SLOT,
            self.two: NO_SLOT,
        }
        for control in self._controls:
            control.unobserve(self._refresh, "value")
        try:
            self.view.options = view_names(self.found[self.pair.value])
            self.emptied.value = ()
            for control, value in controls.items():
                control.value = value
        finally:
            for control in self._controls:
                control.observe(self._refresh, "value")
        self._refresh()

    def _refresh(self, _=None) -> None:
        view, content, decoded = self.decode()
        self._output.show_html(self.page(view, content, decoded), self.text(view, decoded))

    def text(self, view: View, decoded: Decoded) -> str:
        """The decode in words."""
        verdict = "exactly right" if decoded.ids == view.target_ids else "different"
        return f"{self.pair.value}, mode {view.mode}: wrote {self.generator.text(decoded.ids)!r} ({verdict})"

    def page(self, view: View, content: Content, decoded: Decoded) -> str:
        """The decode as HTML: every token in the color of its probability, and every slot's nearest tokens."""
        exact = decoded.ids == view.target_ids
        tokens = "".join(
            f'<span title="p = {p:.3f}" style="background: rgba({mixed(p)}, 0.35); padding: 2px 1px">'
            f"{self.token_html(token)}</span>"
            for token, p in zip(decoded.ids, decoded.probabilities, strict=True)
        )
        verdict = "exactly the target, EOS included" if exact else "not the target"
        lowest = min(decoded.probabilities, default=0.0)
        return (
            '<div style="line-height: 1.9; font-size: 14px" class="dcm-decode">'
            f"<div>wanted: {html.escape(view.target_text)}</div>"
            f"<div>written: {tokens}</div>"
            f"<div><b>{verdict}</b>; least probable token {lowest:.2f}</div>"
            f"{self.slots_table(content)}</div>"
        )

    def token_html(self, token: int) -> str:
        """A token's text, escaped, with EOS and white space made visible."""
        if token == self.generator.eos_id:
            return "⏎"
        return html.escape(self.generator.text((token,))).replace(" ", "&nbsp;").replace("\n", "↵")

    def slots_table(self, content: Content) -> str:
        """Nearest token of every slot, by distance and by direction."""
        near = nearest_tokens(self.generator, content)
        rows = "".join(
            f"<tr><td>{slot}</td><td>{norm:.2f}</td><td>{self.token_html(token)}</td><td>{distance:.2f}</td>"
            f"<td>{self.token_html(cosine_token)}</td><td>{cosine:.2f}</td></tr>"
            for slot, (norm, token, distance, cosine_token, cosine) in enumerate(
                zip(
                    near.norm.tolist(),
                    near.token.tolist(),
                    near.distance.tolist(),
                    near.cosine_token.tolist(),
                    near.cosine.tolist(),
                    strict=True,
                )
            )
        )
        return (
            "<details><summary>Nearest vocabulary token of every slot</summary><table><tr><th>slot</th><th>norm</th>"
            "<th>nearest by distance</th><th>distance</th><th>nearest by direction</th><th>cosine</th></tr>"
            f"{rows}</table></details>"
        )


def view_names(solution: Solution) -> list[str]:
    """The modes that a solution's views go by."""
    return [view.name for view in solution.problem.views]


def mixed(p: float) -> str:
    """The color between LOW and HIGH for a probability, as red, green, blue."""
    return ", ".join(str(round(low + p * (high - low))) for low, high in zip(LOW, HIGH, strict=True))


def show_clusters(figure: go.Figure, explorer: Explorer) -> None:
    """Show a figure of :func:`dcm_helpers.show.cluster_map`; clicking a point opens its pair in the explorer.

    Where there is no widget front end the same output holds the plain figure.
    """
    widget = go.FigureWidget(figure)

    def open_clicked(trace, points, _) -> None:
        for index in points.point_inds:
            explorer.open(trace.customdata[index][0])

    for trace in widget.data:
        trace.on_click(open_clicked)
    output = LiveOutput()
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    output.show({WIDGET: view, PLOTLY: json.loads(figure.to_json()), "text/plain": "figure"})
