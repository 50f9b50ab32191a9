"""Blocks are compiled where so much is to be computed that it pays, and a failing compiler costs no run."""

import dataclasses
import shutil

import pytest
import torch

from dcm_helpers.config import GeneratorConfig, OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator import compile_blocks, is_compiled, load_generator, uncompile_blocks
from dcm_helpers.optimize import EVALUATIONS, ContentOptimizer, compile_where_it_pays, compiling
from dcm_helpers.stm import view_rows

CONFIG = OptimizerConfig(K=4, num_steps=3, num_restarts=1)


@pytest.fixture
def own():
    """A Generator that no other test reads, on a machine that takes a second for a position."""
    generator = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float64"))
    return dataclasses.replace(generator, seconds_a_position=1.0)


@pytest.fixture
def compiled_by(monkeypatch):
    """Let blocks be compiled by a function in place of a C++ compiler."""
    plain = torch.nn.Module.compile
    monkeypatch.setattr(shutil, "which", lambda name: name)

    def by(backend):
        monkeypatch.setattr(torch.nn.Module, "compile", lambda block, **_: plain(block, backend=backend))

    return by


def test_what_is_expected_is_counted(own, problems):
    positions = sum(row.length(4) for row in view_rows(own, problems))
    assert compiling.expected_seconds(own, problems, 4) == EVALUATIONS * positions
    assert compiling.expected_seconds(dataclasses.replace(own, seconds_a_position=None), problems, 4) == 0


def test_blocks_are_compiled_once_and_only_where_it_pays(own, problems, compiled_by, capsys):
    graphs = []
    compiled_by(lambda module, _: graphs.append(module) or module.forward)
    quick = dataclasses.replace(own, seconds_a_position=1e-6)
    assert not compile_where_it_pays(quick, problems, CONFIG) and not is_compiled(own.model)
    assert capsys.readouterr().err == "" and not graphs
    assert compile_where_it_pays(own, problems, CONFIG) and is_compiled(own.model)
    assert "compiling blocks first" in capsys.readouterr().err and graphs
    assert not compile_where_it_pays(own, problems, CONFIG)
    assert capsys.readouterr().err == ""


def test_a_failing_compiler_is_told_and_left_out(own, tiny64, problems, compiled_by, capsys):
    def fails(*_):
        raise RuntimeError("no space left on device")

    compiled_by(fails)
    assert not compile_where_it_pays(own, problems, CONFIG) and not is_compiled(own.model)
    told = capsys.readouterr().err
    assert "Blocks are not compiled" in told and "no space left on device" in told
    ours, plain = (ContentOptimizer(each, CONFIG).optimize(problems) for each in (own, tiny64))
    assert all(torch.equal(a.content, b.content) for a, b in zip(ours, plain, strict=True))


def test_without_a_compiler_it_goes_on(own, problems, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not compile_where_it_pays(own, problems, CONFIG)
    assert "g++" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"g\+\+"):
        compile_blocks(own.model)


def test_uncompiled_blocks_run_as_they_were_written(own, problems, compiled_by):
    compiled_by(lambda *_: pytest.fail("a block was compiled"))
    compile_blocks(own.model)
    assert is_compiled(own.model)
    uncompile_blocks(own.model)
    assert not is_compiled(own.model)
    ContentOptimizer(own, CONFIG).optimize(problems)
