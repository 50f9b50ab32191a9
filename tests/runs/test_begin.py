"""Where a configuration leads: to a run of its own, or to one that was begun."""

import dataclasses
import os

import pytest
import torch

from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator import token_rows
from dcm_helpers.learned import keep_start
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.runs import open_run, prepare
from dcm_helpers.seeds import seeded


def asked(tmp_path, dtype="auto", name=None, seed=0):
    return RunConfig(
        generator=GeneratorConfig(model="tiny", device="cpu", dtype=dtype),
        data=DataConfig(num_examples=2),
        optimizer=OptimizerConfig(K=2, num_steps=2, seed=seed),
        output_dir=str(tmp_path),
        run_name=name,
    )


def opened(config):
    """Where a configuration's results go, and in which precision."""
    with prepare(config, ContentOptimizer) as run:
        return run.folder.path, str(run.generator.dtype).removeprefix("torch.")


@pytest.mark.parametrize("name", [None, "mine"])
@pytest.mark.parametrize("begun", ["bfloat16", "float32", "float64"])
def test_a_run_goes_on_in_its_own_precision(tmp_path, begun, name):
    """Whatever this machine is faster in; a run of other settings is begun in what is faster."""
    place, precision = opened(asked(tmp_path, begun, name))
    assert precision == begun
    assert opened(asked(tmp_path, name=name)) == (place, begun)
    fresh, faster = opened(asked(tmp_path, seed=1))
    assert fresh != place and opened(asked(tmp_path / "elsewhere"))[1] == faster in ("float32", "bfloat16")


@pytest.mark.parametrize("last", ["float32", "bfloat16"])
def test_of_several_runs_the_one_worked_on_last_goes_on(tmp_path, last):
    """A precision that is named is a run of its own."""
    places = {dtype: opened(asked(tmp_path, dtype))[0] for dtype in ("float32", "bfloat16", "float64")}
    assert len(set(places.values())) == 3
    for number, dtype in enumerate(sorted(places, key=lambda dtype: dtype == last)):
        os.utime(places[dtype] / "run.json", (number, number))
    assert opened(asked(tmp_path)) == (places[last], last)


def test_a_run_that_differs_is_not_gone_on_with(tmp_path):
    """Also in what settings do not name at their default."""
    with_task = dataclasses.replace(asked(tmp_path, "float64"), task_steps=1, data=DataConfig(num_examples=8))
    opened(with_task)
    without = dataclasses.replace(with_task, task_steps=0, generator=asked(tmp_path).generator)
    assert opened(without)[1] != "float64"


def test_names_are_no_patterns_and_a_damaged_neighbor_is_left_out(tmp_path, capsys):
    opened(asked(tmp_path, "float64", "run1"))
    assert opened(asked(tmp_path, name="run[1]"))[1] != "float64"
    mine, _ = opened(asked(tmp_path, "float64"))
    damaged = mine.with_name(mine.name[:-1] + ("0" if mine.name[-1] != "0" else "1"))
    damaged.mkdir()
    (damaged / "run.json").write_text("{")
    assert opened(asked(tmp_path)) == (mine, "float64")
    assert "left out" in capsys.readouterr().err


def test_a_run_begins_at_the_start_that_it_names(tmp_path, tiny):
    """A file of starts identifies a run by what it holds: the same file goes on, another content is another run."""
    path = tmp_path / "start.safetensors"
    start = token_rows(tiny, 2, seeded("a start"))
    keep_start(path, start, {"learned from": "nothing"})
    config = asked(tmp_path, "float32")
    config = dataclasses.replace(
        config, optimizer=dataclasses.replace(config.optimizer, start=str(path), num_restarts=1)
    )
    with prepare(config, ContentOptimizer) as run:
        run.run()
    folder = run.folder.path
    assert opened(config)[0] == folder
    made = open_run(folder)
    torch.testing.assert_close(made.starts, start.half().float().expand(2, -1, -1), rtol=0, atol=0)
    path.unlink()
    keep_start(path, start + 1, {"learned from": "nothing"})
    assert opened(config)[0] != folder
    with pytest.raises(InputError, match=r"is not the one that .* began at; make the run anew"):
        _ = open_run(folder).starts
