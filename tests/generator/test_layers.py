"""The controls that take training out of the layers, and compiled blocks."""

import shutil

import pytest
import torch

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator import load_generator
from dcm_helpers.generator.layers import drawn_like
from dcm_helpers.look import losses_at
from dcm_helpers.stm import initial_content


@pytest.mark.parametrize("layers", ["shuffled", "random"])
def test_changed_layers_leave_the_vocabulary_and_nothing_else(tiny, problems, layers):
    changed = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float32", layers=layers))
    again = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float32", layers=layers))
    assert changed.fingerprint() == again.fingerprint() != tiny.fingerprint()
    ids = torch.arange(50)
    assert torch.equal(changed.embed(ids), tiny.embed(ids))
    before, after = tiny.model.model.layers, changed.model.model.layers
    for index, block in enumerate(after):
        weight = block.self_attn.q_proj.weight
        assert not torch.equal(weight, before[index].self_attn.q_proj.weight), "a block stayed what it was"
        if layers == "random":
            assert weight.std().item() == pytest.approx(before[index].self_attn.q_proj.weight.std().item(), rel=0.05)
    if layers == "shuffled":
        sums = [sorted(block.self_attn.q_proj.weight.sum().item() for block in those) for those in (before, after)]
        assert sums[0] == pytest.approx(sums[1])
    content = initial_content(tiny, problems[0], 4, "tokens", 0, 0)[None]
    assert (
        losses_at(changed, problems[0], content)["loss"].item() != losses_at(tiny, problems[0], content)["loss"].item()
    )


def test_compiling_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"g\+\+"):
        load_generator(GeneratorConfig(model="tiny", device="cpu", compile="always"))


def test_drawn_weights_do_not_depend_on_threads():
    """In single precision they would: other bits, and with them another fingerprint than a stored run's."""
    weight = torch.randn(1536, 576, generator=torch.Generator().manual_seed(1)) * 0.1 + 0.001
    threads = torch.get_num_threads()
    drawn = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            drawn.append(drawn_like(weight, torch.Generator().manual_seed(0)))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(drawn[0], each) for each in drawn[1:])
    assert drawn[0].std() == pytest.approx(0.1, rel=0.01) and drawn[0].mean() == pytest.approx(0.001, abs=0.001)
