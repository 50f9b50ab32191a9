"""The explorer without a front end: what its controls do."""

import pytest
import torch

from dcm_helpers.config import InputError
from dcm_helpers.show import Explorer
from dcm_helpers.show.explorer import NO_SLOT, NOBODY, Change


@pytest.fixture(scope="module")
def explorer(example):
    return Explorer(example.generator, example.solutions)


@pytest.fixture(autouse=True)
def fresh(request):
    """Every test starts with an undisturbed explorer."""
    if "explorer" in request.fixturenames:
        explorer = request.getfixturevalue("explorer")
        names = list(explorer.found)
        explorer.open(names[1])
        explorer.open(names[0])


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
