"""The dashboard without a front end: nothing finished is lost."""

import asyncio

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.show import Dashboard

CONFIG = OptimizerConfig(K=8, num_steps=150, num_restarts=1)


def test_the_dashboard_gives_what_the_optimizer_gives(tiny, problems):
    board = Dashboard(ContentOptimizer(tiny, CONFIG))
    watched = board.run(problems[:5])
    plain = ContentOptimizer(tiny, CONFIG).optimize(problems[:5])
    assert [(r.problem.id, r.steps, r.reconstructed) for r in watched] == [
        (r.problem.id, r.steps, r.reconstructed) for r in plain
    ]
    states = board.states()
    assert list(states["problem"]) == [problem.id for problem in problems[:5]]
    assert (states["state"] == "reconstructed").sum() == sum(result.reconstructed for result in watched)
    assert set(board.curves()["problem"]) == {problem.id for problem in problems[:5]}
    assert f"{len(watched)} of 5 done" in board.account(states)


def test_stopping_keeps_what_is_done(tiny, problems):
    """The button ends the run after the current step; what had ended is returned, the rest is left."""
    board = Dashboard(ContentOptimizer(tiny, OptimizerConfig(K=8, num_steps=300, batch_size=2)))
    original = board.draw_if_due

    def press_once_something_is_done():
        if board.results:
            board._button.click()
        original()

    board.draw_if_due = press_once_something_is_done
    kept = board.run(problems)
    assert 0 < len(kept) < len(problems)
    assert "stopped; what is done is kept" in board.account(board.states())
    assert "waiting" in set(board.states()["state"])


def test_watching_gives_the_same_and_an_interrupt_keeps_what_is_done(tiny, problems):
    """A cancelled wait, which is what an interrupted kernel makes of it, ends the run and still returns results."""
    board = Dashboard(ContentOptimizer(tiny, CONFIG))
    watched = asyncio.run(board.watch(problems[:3]))
    plain = ContentOptimizer(tiny, CONFIG).optimize(problems[:3])
    assert [(r.problem.id, r.steps) for r in watched] == [(r.problem.id, r.steps) for r in plain]
    board = Dashboard(ContentOptimizer(tiny, OptimizerConfig(K=8, num_steps=300, batch_size=2)))

    async def interrupted():
        waiting = asyncio.ensure_future(board.watch(problems))
        while not board.results:
            await asyncio.sleep(0.01)
        waiting.cancel()
        return await waiting

    kept = asyncio.run(interrupted())
    assert 0 < len(kept) < len(problems) and board.stop.is_set()
