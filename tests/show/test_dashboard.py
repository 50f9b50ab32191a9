"""The dashboard without a front end: nothing finished is lost."""

import asyncio
import os
import signal
import threading

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.show import Dashboard

CONFIG = OptimizerConfig(K=8, num_steps=150, num_restarts=1)
TWO_AT_ONCE = OptimizerConfig(K=8, num_steps=300, batch_size=2)


def test_the_dashboard_gives_what_the_optimizer_gives(tiny, problems):
    board = Dashboard(ContentOptimizer(tiny, CONFIG))
    watched = board.run(problems[:5])
    plain = ContentOptimizer(tiny, CONFIG).optimize(problems[:5])
    assert [(r.problem.id, r.steps, r.reconstructed) for r in watched] == [
        (r.problem.id, r.steps, r.reconstructed) for r in plain
    ]
    assert board.watched.n == 5, "what the terminal's line counted"


def test_the_stop_button_keeps_what_is_done(tiny, problems):
    """The message that the button sends ends the run in the middle of a step; what had ended is returned."""
    board = Dashboard(ContentOptimizer(tiny, TWO_AT_ONCE))

    async def pressed():
        running = asyncio.ensure_future(board.watch(problems))
        while not board.results:
            await asyncio.sleep(0.01)
        board._hear({"stop": True})
        return await running

    kept = asyncio.run(pressed())
    assert 0 < len(kept) < len(problems)


def test_watching_gives_the_same_and_giving_up_keeps_what_is_done(tiny, problems):
    """A canceled wait ends the run and still returns results."""
    watched = asyncio.run(Dashboard(ContentOptimizer(tiny, CONFIG)).watch(problems[:3]))
    plain = ContentOptimizer(tiny, CONFIG).optimize(problems[:3])
    assert [(r.problem.id, r.steps) for r in watched] == [(r.problem.id, r.steps) for r in plain]
    board = Dashboard(ContentOptimizer(tiny, TWO_AT_ONCE))

    async def interrupted():
        waiting = asyncio.ensure_future(board.watch(problems))
        while not board.results:
            await asyncio.sleep(0.01)
        waiting.cancel()
        return await waiting

    kept = asyncio.run(interrupted())
    assert 0 < len(kept) < len(problems) and board.stop.is_set()


def test_an_interrupt_is_heard_while_watching(tiny, problems):
    """A signal, as the kernel's interrupt sends it, reaches a watched run; the handler of before is back afterwards."""
    board = Dashboard(ContentOptimizer(tiny, TWO_AT_ONCE))
    before = signal.getsignal(signal.SIGINT)

    async def interrupted():
        running = asyncio.ensure_future(board.watch(problems))
        while not board.results:
            await asyncio.sleep(0.01)
        threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        return await running

    kept = asyncio.run(interrupted())
    assert 0 < len(kept) < len(problems) and signal.getsignal(signal.SIGINT) is before
