"""The dashboard and the explorer without a front end: what their controls do, and that nothing finished is lost."""

import asyncio

import pytest
import torch

from dcm_helpers.config import InputError, OptimizerConfig
from dcm_helpers.dashboard import Dashboard
from dcm_helpers.explorer import NO_SLOT, NOBODY, Change, Explorer
from dcm_helpers.optimizer import ContentOptimizer
from dcm_helpers.solutions import generator_of, open_run, solutions

CONFIG = OptimizerConfig(K=8, num_steps=150, num_restarts=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return open_run("", "tiny", 4, 8, stages="2", results=str(tmp_path_factory.mktemp("results")))


@pytest.fixture(scope="module")
def explorer(folder):
    generator = generator_of(folder, device="cpu")
    return Explorer(generator, solutions(folder, generator))


@pytest.fixture(autouse=True)
def fresh(request):
    """Every test starts with an undisturbed explorer."""
    if "explorer" in request.fixturenames:
        explorer = request.getfixturevalue("explorer")
        names = list(explorer.found)
        explorer.open(names[1])
        explorer.open(names[0])


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


def test_changes_are_applied_in_order():
    content = torch.arange(12.0).view(4, 3)
    other = -torch.ones(4, 3)
    assert torch.equal(Change().of(content), content)
    assert torch.equal(Change(blend_with=other, blend=1.0).of(content), other)
    assert torch.equal(Change(emptied=(1, 3)).of(content)[[1, 3]], torch.zeros(2, 3))
    assert torch.equal(Change(swapped=(0, 2)).of(content), content[[2, 1, 0, 3]])
    noisy = Change(noise=0.5).of(content)
    assert torch.allclose((noisy - content).norm(dim=1), 0.5 * content.norm(dim=1))
    assert torch.equal(noisy, Change(noise=0.5).of(content)) and not torch.equal(
        noisy, Change(noise=0.5, seed=1).of(content)
    )
    assert torch.equal(content, torch.arange(12.0).view(4, 3)), "the stored content never changes"


def test_the_explorer_decodes_what_is_stored(explorer):
    for name, solution in explorer.found.items():
        explorer.open(name)
        for index, mode in enumerate("QA"):
            explorer.view.value = mode
            view, content, decoded = explorer.decode()
            assert view is solution.problem.views[index] and torch.equal(content, solution.content)
            assert list(decoded.ids) == solution.record["views"][index]["decoded_ids"]


def test_every_control_changes_what_is_read(explorer):
    explorer.view.value = "Q"
    _, before, written = explorer.decode()
    explorer.noise.value = 2.0
    _, noisy, disturbed = explorer.decode()
    assert not torch.equal(before, noisy) and disturbed.ids != written.ids
    explorer.noise.value = 0.0
    explorer.emptied.value = (0, 2)
    assert explorer.decode()[1][[0, 2]].abs().sum() == 0
    explorer.emptied.value = ()
    explorer.one.value, explorer.two.value = 0, 7
    assert torch.equal(explorer.decode()[1][0], before[7])
    explorer.one.value = explorer.two.value = NO_SLOT
    names = list(explorer.found)
    explorer.other.value, explorer.blend.value = names[1], 1.0
    _, content, decoded = explorer.decode()
    assert torch.allclose(content, explorer.found[names[1]].content, atol=1e-6)
    assert list(decoded.ids) == explorer.found[names[1]].record["views"][0]["decoded_ids"]


def test_opening_another_pair_takes_every_disturbance_back(explorer):
    names = list(explorer.found)
    explorer.noise.value, explorer.emptied.value, explorer.other.value = 1.0, (0,), names[1]
    explorer.open(names[2])
    assert explorer.change() == Change() and explorer.other.value == NOBODY
    explorer.noise.value = 1.0
    explorer.open(names[2])
    assert explorer.change() == Change(), "opening the pair that is open does so too"
    with pytest.raises(InputError, match="no problem 'nobody'"):
        explorer.open("nobody")


def test_the_page_escapes_and_tells_right_from_wrong(explorer):
    view, content, decoded = explorer.decode()
    page = explorer.page(view, content, decoded)
    assert "exactly the target" in page and page.count("<tr>") == 1 + len(content)
    hostile = type(view)("Q", "<img src=x onerror=alert(1)>", (1, 2))
    page = explorer.page(hostile, content, decoded)
    assert "<img" not in page and "not the target" in page


def test_an_explorer_needs_solutions(tiny):
    with pytest.raises(InputError, match="nothing to explore"):
        Explorer(tiny, [])
