"""The door to runs for notebooks: the one that is named, or a small example run, computed as far as it is missing."""

import sys
from pathlib import Path

from dcm_helpers.config import PROJECT, DataConfig, GeneratorConfig, OptimizerConfig, RunConfig, parameter
from dcm_helpers.errors import InputError, require
from dcm_helpers.runs.places import typed_place
from dcm_helpers.runs.run import Run
from dcm_helpers.runs.verdicts import summarize
from dcm_helpers.store import MANIFEST, RunFolder

EXAMPLE_STEPS, EXAMPLE_RESTARTS = 300, 2


def open_run(
    path: str | Path = "",
    stages: str = "",
    *,
    model: str = "",
    num_examples: int = 0,
    K: int = 8,
    results: str | Path = "",
) -> Run:
    """The run at ``path``, or in ``DCM_RUN``; where neither names one, a small example run on the shipped pairs.

    The example run is computed as far as it is not stored yet. What is not given is taken from ``DCM_MODEL``,
    ``DCM_NUM_EXAMPLES`` and ``DCM_RESULTS``, or else from the defaults.

    Args:     path  a run folder;  stages  what the run must have something of, as '2,3', and what the example run has
              (by default '2');  model, num_examples, K  of the example run;  results  where example runs go, by default
              the project's results folder
    Raises:   InputError if there is no run at ``path``, it has nothing of a stage, or there are no such stages
    """
    path, stages = str(path or "") or parameter("run", ""), str(stages)
    if path:
        run = Run(RunFolder.read(Path(typed_place(path)).expanduser()))
        for stage in RunConfig(stage=stages).stages if stages else ():
            require(
                bool(run.records(stage)),
                f"the run {path} has nothing of stage {stage}, which is read here; run it with --stage {stages}, too, "
                "or name another run in DCM_RUN (empty: a small example run)",
            )
        return run
    return example_run(
        RunConfig(
            generator=GeneratorConfig(model=model or parameter("model", GeneratorConfig.model)),
            data=DataConfig(num_examples=num_examples or parameter("num_examples", 12)),
            optimizer=OptimizerConfig(K=K, num_steps=EXAMPLE_STEPS, num_restarts=EXAMPLE_RESTARTS),
            stage=stages or "2",
            ignore_gates=True,
            output_dir=str(results or parameter("results", PROJECT / "results")),
        )
    )


def readable_run(path: Path) -> RunFolder:
    """A run folder whose records can be read and add up.

    Raises:   InputError if it is no run, or is damaged
    """
    folder = RunFolder.read(path)
    summarize(folder)
    return folder


def readable_runs(results: Path) -> list[RunFolder]:
    """The runs in a folder, by name; of one that cannot be read is said why, and it is left out."""
    folders = []
    for manifest in sorted(results.glob(f"*/{MANIFEST}")):
        try:
            folders.append(readable_run(manifest.parent))
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
    return folders


def example_run(config: RunConfig) -> Run:
    """The run of a configuration, computed as far as it is not stored yet.

    Raises:   KeyboardInterrupt if it was interrupted
    """
    # imported here: looking at a run that is there needs nothing that optimizes
    from dcm_helpers.optimize import ContentOptimizer
    from dcm_helpers.runs.begin import prepare
    from dcm_helpers.watch import stopping_on_interrupt

    with prepare(config, ContentOptimizer) as phase, stopping_on_interrupt(phase.stop):
        phase.run()
    if phase.stop.is_set():
        # an error, so that a notebook that runs all its cells ends here
        raise KeyboardInterrupt(f"stopped; what is done is kept in {phase.folder.path}, and the same call continues")
    return Run(phase.folder, phase.generator)
