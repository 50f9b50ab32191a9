"""Watch the optimizer work: problems as a grid of states, loss curves, pace, time left, and a button that stops it."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from threading import Event

import ipywidgets
import pandas as pd
from IPython.display import display

from dcm_helpers.optimize import Attempt, Progress, ProgressLine, Result, Solver, stopping_on_interrupt, thinned
from dcm_helpers.runs import curves_of
from dcm_helpers.show.figures import loss_curves, status_grid
from dcm_helpers.show.live import LiveOutput, in_notebook
from dcm_helpers.stm import Problem

REDRAW_SECONDS = 1.0
CURVES = 24
"""Curves of at most this many problems are drawn, the latest ones."""


class Dashboard:
    """Runs a solver, such as a :class:`ContentOptimizer`, and shows how far it is; in a terminal, as a progress line.

    The stop button, or interrupting the kernel once, ends the run after the current step and keeps what is done. A
    kernel hears the button only while a cell awaits, hence :meth:`watch` in notebooks.

    >>> results = await Dashboard(ContentOptimizer(generator, config)).watch(problems)
    """

    def __init__(self, solver: Solver, title: str = "Optimization"):
        self.solver = solver
        self.title = title
        self.stop = Event()
        self.results: dict[str, Result] = {}
        self.progress = Progress()
        self._problems: Sequence[Problem] = ()
        self._button = ipywidgets.Button(description="Stop", icon="stop", tooltip="Keep what is done and end")
        self._button.on_click(lambda _: self.stop.set())
        self._line, self._grid, self._curves = LiveOutput(), LiveOutput(), LiveOutput()
        self._started = self._drawn = 0.0

    def run(self, problems: Sequence[Problem]) -> list[Result]:
        """Optimize the problems. Returns the finished ones in the order given: all, unless stopped."""
        self._problems, self._started, self._drawn = problems, time.perf_counter(), 0.0
        self._line, self._grid, self._curves = LiveOutput(), LiveOutput(), LiveOutput()
        self.results.clear()
        self.stop.clear()
        if in_notebook():
            self._button.disabled = False
            display(self._button)
        with self._terminal_line() as line, stopping_on_interrupt(self.stop):

            def follow(progress: Progress) -> None:
                self.progress = progress
                if line is not None:
                    line.show(progress)
                self.draw_if_due()

            for result in self.solver.iterate(problems, follow, self.stop):
                self.results[result.problem.id] = result
        self._button.disabled = True
        self.draw()
        return [self.results[problem.id] for problem in problems if problem.id in self.results]

    async def watch(self, problems: Sequence[Problem]) -> list[Result]:
        """As :meth:`run`, but in a thread, so that a notebook's kernel hears the stop button; ``await`` it."""
        work = asyncio.ensure_future(asyncio.to_thread(self.run, problems))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:  # the kernel was interrupted
            self.stop.set()
            return await work

    @contextlib.contextmanager
    def _terminal_line(self):
        """The progress line where there is no notebook to draw in."""
        if in_notebook():
            yield None
        else:
            with ProgressLine(self.title, len(self._problems)) as line:
                yield line

    def draw_if_due(self) -> None:
        """Redraw if the last time was long enough ago: drawing must not slow the optimizer down."""
        if in_notebook() and time.perf_counter() - self._drawn >= REDRAW_SECONDS:
            self.draw()

    def draw(self) -> None:
        """Show where things stand."""
        states = self.states()
        account = self.account(states)
        self._line.show_html(f"<b>{self.title}</b>: {account}", f"{self.title}: {account}")
        self._grid.show_figure(status_grid(states), str(dict(Counter(states["state"]))))
        curves = self.curves()
        if len(curves):
            self._curves.show_figure(loss_curves(curves, "Loss of each view"), f"loss curves of {CURVES} problems")
        self._drawn = time.perf_counter()

    def account(self, states: pd.DataFrame) -> str:
        """Counts, pace and time left in words."""
        seconds = max(time.perf_counter() - self._started, 1e-9)
        done = len(self.results)
        parts = [
            f"{done} of {len(self._problems)} done, {int((states['state'] == 'reconstructed').sum())} reconstructed",
            f"{self.progress.work.updates / seconds:.1f} steps/s",
            f"{seconds:.0f} s",
        ]
        if self.stop.is_set() and done < len(self._problems):
            parts.append("stopped; what is done is kept")
        elif 0 < done < len(self._problems):
            parts.append(f"about {seconds / done * (len(self._problems) - done):.0f} s left")
        return ", ".join(parts)

    def states(self) -> pd.DataFrame:
        """Per problem: state, steps of its current or last restart, and loss in nats per token."""
        flying = {attempt.problem.id: attempt for attempt in self.progress.in_flight}
        rows = []
        for problem in self._problems:
            if (result := self.results.get(problem.id)) is not None:
                state = "reconstructed" if result.reconstructed else "failed"
                rows.append((problem.id, state, result.steps, result.loss))
            elif (attempt := flying.get(problem.id)) is not None:
                rows.append((problem.id, "optimizing", attempt.step, latest_loss(attempt)))
            else:
                rows.append((problem.id, "waiting", 0, float("nan")))
        return pd.DataFrame(rows, columns=["problem", "state", "steps", "loss"])

    def curves(self) -> pd.DataFrame:
        """Loss curves of the latest problems, for :func:`dcm_helpers.show.loss_curves`."""
        entries = [(result.problem, result.history) for result in self.results.values()]
        entries += [(attempt.problem, attempt.history) for attempt in self.progress.in_flight]
        return curves_of(
            [
                (problem.id, [view.name for view in problem.views], thinned(history))
                for problem, history in entries[-CURVES:]
            ]
        )


def latest_loss(attempt: Attempt) -> float:
    """The loss that was measured last, summed over views."""
    return sum(attempt.history[-1][1]) if attempt.history else float("nan")
