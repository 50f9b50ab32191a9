"""Where a configuration leads: to a run of its own, or to one that was begun."""

import pytest

from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.runs import prepare


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


def test_a_precision_that_is_named_is_a_run_of_its_own(tmp_path):
    places = {opened(asked(tmp_path, dtype))[0] for dtype in ("float32", "bfloat16")}
    assert len(places) == 2
    assert opened(asked(tmp_path)) in [(place, dtype) for place in places for dtype in ("float32", "bfloat16")]
