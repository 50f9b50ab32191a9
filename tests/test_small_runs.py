"""Every notebook says something on small and lopsided runs: one pair, nothing reconstructed, stage 1 alone."""

import os
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from dcm_helpers.config import PROJECT, DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.pages.execute import described
from dcm_helpers.runs import prepare

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
KINDS = {
    "one pair": dict(data=DataConfig(num_examples=1)),
    "nothing reconstructed": dict(optimizer=OptimizerConfig(K=8, num_steps=1, num_restarts=1)),
    "stage 1 alone": dict(stage="1"),
}


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory, tiny):
    """The folder of a small run."""
    settings = dict(
        generator=GeneratorConfig(model="tiny", device="cpu", dtype="float32"),
        data=DataConfig(num_examples=2),
        optimizer=OptimizerConfig(K=8, num_steps=300, num_restarts=1),
        stage="1,2,3",
        ignore_gates=True,
        output_dir=str(tmp_path_factory.mktemp("results")),
        run_name="run",
    )
    with prepare(RunConfig(**{**settings, **KINDS[request.param]}), ContentOptimizer, generator=tiny) as phase:
        phase.run()
    return phase.folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(run, path: Path, monkeypatch, capsys):
    """Its cells one after the other, without the seconds that a kernel of its own takes to start."""
    stage = described(path)[2]
    if stage and not run.records(stage):
        pytest.skip(f"a report leaves it out: the run has nothing of stage {stage}")
    monkeypatch.chdir(path.parent)
    monkeypatch.setitem(os.environ, "DCM_RUN", str(run.path))
    monkeypatch.setitem(os.environ, "DCM_MODEL", "tiny")
    shell = InteractiveShell()
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells, start=1):
        if cell.cell_type == "code":
            result = shell.run_cell(cell.source, silent=True)
            assert result.success, f"cell {number}: {result.error_in_exec or result.error_before_exec!r}"
