"""What a solver is: it finds contents, and reports how far it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Protocol

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.optimize.result import Result
from dcm_helpers.stm import Problem, require_fits
from dcm_helpers.watch import Progress


class Solver(Protocol):
    """What finds contents. A stage is handed one, and so is whatever else needs contents found."""

    def iterate(
        self,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
    ) -> Iterator[Result]:
        """Yield each problem's result as it is finished; once ``stop`` is set, end with what is done."""

    @property
    def set_aside(self) -> Mapping[str, str]:
        """Problems that were given up, by id, each with what happened: those in whose time too many workers died."""


MakeSolver = Callable[[Generator, OptimizerConfig], Solver]
"""Makes the solver of some settings, as :class:`dcm_helpers.optimize.ContentOptimizer` does when it is called."""


def require_solvable(generator: Generator, problems: Sequence[Problem], K: int) -> None:
    """Check before any work is done what every solver relies on.

    Raises:   InputError if ids repeat, the Generator has no such tokens, or a row does not fit its window
    """
    ids = {problem.id for problem in problems}
    require(len(ids) == len(problems), "two problems have the same id; ids must be unique, they seed the starts")
    views = [view for problem in problems for view in problem.views]
    most = max((max(*view.mode_ids, *view.given_ids, *view.target_ids, 0) for view in views), default=0)
    size = generator.rows
    require(most < size, f"a problem has a token of id {most}; {generator.name} has {size} tokens, numbered from 0")
    require_fits(generator, problems, K)
