"""Watch the optimizer work, and stop it: the board, with a button and the kernel's interrupt."""

import asyncio
from collections.abc import Sequence
from threading import Event

from dcm_helpers.optimize import Result, Solver
from dcm_helpers.stm import Problem
from dcm_helpers.watch import Board, ProgressLine, Wire, follow, stopping_on_interrupt

AWAKE_SECONDS = 0.2
"""A cell that awaits wakes up this often, to hear an interrupt."""


class Dashboard:
    """Runs a solver, such as a :class:`ContentOptimizer`, and shows how far it is; in a terminal, as a progress line.

    The stop button, or interrupting the kernel once, ends the run within a second or two and keeps what is done. A
    kernel hears the button only while a cell awaits, hence :meth:`watch` in notebooks.

    >>> results = await Dashboard(ContentOptimizer(generator, config)).watch(problems)
    """

    def __init__(self, solver: Solver, title: str = "Optimization"):
        self.solver = solver
        self.title = title
        self.stop = Event()
        self.results: dict[str, Result] = {}
        self.watched: Board | ProgressLine | None = None
        """What shows how far it is."""
        self._wire = Wire(self._hear)

    def run(self, problems: Sequence[Problem]) -> list[Result]:
        """Optimize the problems. Returns the finished ones in the order given: all, unless stopped."""
        self.results.clear()
        self.stop.clear()
        names = [problem.id for problem in problems]
        with follow(self.title, names, wire=self._wire) as self.watched, stopping_on_interrupt(self.stop):
            for result in self.solver.iterate(problems, self.watched.show, self.stop):
                self.results[result.problem.id] = result
                self.watched.finished(result.problem.id, result.reconstructed, result)
        return [self.results[name] for name in names if name in self.results]

    async def watch(self, problems: Sequence[Problem]) -> list[Result]:
        """As :meth:`run`, but in a thread, so that a notebook's kernel hears the stop button; ``await`` it."""
        work = asyncio.ensure_future(asyncio.to_thread(self.run, problems))
        try:
            # signals reach the main thread alone, which awaits here
            with stopping_on_interrupt(self.stop):
                while not work.done():
                    await asyncio.wait([work], timeout=AWAKE_SECONDS)
        except asyncio.CancelledError:  # whoever awaited this gave up
            self.stop.set()
        return await work

    def _hear(self, message: dict) -> None:
        if message.get("stop"):
            self.stop.set()
