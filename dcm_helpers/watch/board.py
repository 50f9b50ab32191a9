"""A notebook's board: every problem as a cell in the color of its state, pace and time left, loss curves.

It is one HTML output that is replaced about once a second, so what is saved, exported or printed is its last state.
"""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from dcm_helpers.markup import AS_IT_IS, escaped, shortened
from dcm_helpers.watch.curves import Curve, drawing
from dcm_helpers.watch.live import LiveOutput, Wire
from dcm_helpers.watch.progress import Ended, InFlight, Progress

REDRAW_SECONDS = 1.0
CURVES = 24
"""Curves of at most this many problems are drawn, the latest ones."""
NAMED_CELLS = 400
"""Of more problems than these, cells do not carry names, which would make every redraw heavy."""
STATES = {"waiting": "#b5bac1", "optimizing": "#56b4e9", "failed": "#d55e00", "reconstructed": "#009e73"}
"""Colors of a problem's state."""
STYLE = (
    "<style>.dcm-board{font:14px/1.5 system-ui,sans-serif;max-width:760px}"
    ".dcm-board .cells{display:flex;flex-wrap:wrap;gap:3px;margin:6px 0}"
    ".dcm-board .cells i{width:14px;height:14px;border-radius:3px;display:block}"
    ".dcm-board .key i{width:10px;height:10px;border-radius:2px;display:inline-block;margin:0 4px 0 12px}"
    ".dcm-board .bar{height:6px;border-radius:3px;background:rgba(128,134,142,.25);overflow:hidden}"
    ".dcm-board .bar i{display:block;height:100%;background:#009e73}"
    ".dcm-board .workers{border-collapse:collapse;margin:6px 0}"
    ".dcm-board .workers :is(th,td){text-align:left;padding:1px 14px 1px 0}"
    ".dcm-board button{font:inherit;padding:1px 12px;margin-left:8px}</style>"
)


class Board:
    """How far some problems are, as HTML that follows them.

    Args:     problems  their ids, in the order in which they are shown;  known  of those that had ended before: whether
              they were reconstructed;  wire  hears ``{"stop": true}`` when the stop button is pressed
    """

    def __init__(
        self, title: str, problems: Sequence[str], known: Mapping[str, bool] | None = None, wire: Wire | None = None
    ):
        self.title = title
        self.problems = list(problems)
        self.ended: dict[str, bool] = dict(known or {})
        self.results: dict[str, Ended] = {}
        self.progress = Progress()
        self._closed = False
        self._before = len(self.ended)
        self._wire = wire
        self._output = LiveOutput()
        self._started = time.perf_counter()
        self._drawn = 0.0
        self.draw()

    def show(self, progress: Progress) -> None:
        """Take in where the optimizer is; redraw if the last time was long enough ago, so as not to slow it down."""
        self.progress = progress
        if time.perf_counter() - self._drawn >= REDRAW_SECONDS:
            self.draw()

    def finished(self, problem: str, reconstructed: bool, result: Ended | None = None) -> None:
        """Take in that a problem has ended, with its result where there is one."""
        self.ended[problem] = reconstructed
        if result is not None:
            self.results[problem] = result
        self.show(self.progress)

    def close(self) -> None:
        """Show the last state: nothing is in flight any more, and there is nothing to stop."""
        self._wire, self._closed = None, True
        self.draw()

    def draw(self) -> None:
        """Show where things stand."""
        self._output.show(self.page(), f"{self.title}: {self.account()}")
        self._drawn = time.perf_counter()

    @property
    def done(self) -> int:
        """How many problems have ended."""
        return len(self.ended)

    def states(self) -> dict[str, str]:
        """The state of every problem, a key of STATES."""
        flying = {attempt.problem.id for attempt in self.progress.in_flight}

        def state(problem: str) -> str:
            if problem in self.ended:
                return "reconstructed" if self.ended[problem] else "failed"
            return "optimizing" if problem in flying and not self._closed else "waiting"

        return {problem: state(problem) for problem in self.problems}

    def account(self) -> str:
        """Counts, pace and time left in words."""
        seconds = max(time.perf_counter() - self._started, 1e-9)
        total, now = len(self.problems), self.done - self._before
        parts = [f"{self.done} of {total} done, {sum(self.ended.values())} reconstructed"]
        if self.progress.in_flight and not self._closed:
            parts.append(f"{self.progress.tokens_right:.0%} of the tokens in flight right")
        if self.progress.work.updates:
            parts.append(f"{self.progress.work.updates / seconds:.1f} steps/s")
        parts.append(f"{seconds:.0f} s")
        if self._closed and self.done < total:
            parts.append("stopped; what is done is kept")
        elif now and self.done < total:
            parts.append(f"about {seconds / now * (total - self.done):.0f}\u00a0s left")
        return ", ".join(parts)

    def page(self) -> str:
        """The board as HTML."""
        states = self.states()
        share = self.done / max(1, len(self.problems))
        counts = Counter(states.values())
        key = "".join(f'<i style="background:{STATES[name]}"></i>{name} {counts[name]}' for name in STATES)
        button = ""
        if self._wire is not None:
            button = f"<button hidden data-dcm-send='{json.dumps({'stop': True})}'>Stop, keep what is done</button>"
        return (
            f'{STYLE}<div class="dcm-board {AS_IT_IS}" data-dcm-wire="{self._wire.id if self._wire else ""}">'
            f"<div><b>{escaped(self.title)}</b>: {escaped(self.account())}{button}</div>"
            f'<div class="bar"><i style="width:{share:.1%}"></i></div>'
            f'<div class="cells">{self._cells(states)}</div><div class="key">{key}</div>'
            f"{self._workers()}{drawing(self.curves())}</div>"
        )

    def _workers(self) -> str:
        """A row for each of several workers: where, on what, how far, how fast."""
        if not self.progress.workers:
            return ""
        seconds = max(time.perf_counter() - self._started, 1e-9)
        head = "".join(f"<th>{name}</th>" for name in ("worker", "device", "state", "has", "done", "steps/s"))
        rows = "".join(
            f'<tr data-worker="{escaped(worker.name)}"><td>{escaped(worker.name)}</td><td>{escaped(worker.device)}</td>'
            f"<td>{worker.state}</td><td>{worker.in_flight}</td><td>{worker.done}</td>"
            f"<td>{worker.updates / seconds:.1f}</td></tr>"
            for worker in self.progress.workers
        )
        return f'<table class="workers"><tr>{head}</tr>{rows}</table>'

    def _cells(self, states: Mapping[str, str]) -> str:
        """Every problem as a cell; its name and figures appear where the pointer rests."""
        flying = {attempt.problem.id: attempt for attempt in self.progress.in_flight}

        def name(problem: str) -> str:
            if len(states) > NAMED_CELLS:
                return ""
            figures = told(flying.get(problem), self.results.get(problem))
            return f' title="{escaped(shortened(problem))}: {states[problem]}{figures}"'

        return "".join(
            f'<i data-state="{state}"{name(problem)} style="background:{STATES[state]}"></i>'
            for problem, state in states.items()
        )

    def curves(self) -> list[Curve]:
        """Loss curves of the latest problems, view by view."""
        entries = [(result.problem, result.history) for result in self.results.values()]
        entries += [
            (attempt.problem, tuple(attempt.history))
            for attempt in self.progress.in_flight
            if attempt.problem.id not in self.results
        ]
        return [
            (problem.id, view.name, [(step, losses[index]) for step, losses in history])
            for problem, history in entries[-CURVES:]
            for index, view in enumerate(problem.views)
        ]


def told(attempt: InFlight | None, result: Ended | None) -> str:
    """Steps and loss of a problem, as far as they are known."""
    if result is not None:
        return f", {result.steps} steps, loss {result.loss:.3f}"
    if attempt is not None and attempt.history:
        return f", step {attempt.step}, loss {sum(attempt.history[-1][1]):.3f}"
    return ""
