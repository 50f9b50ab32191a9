"""Stages are handed their solver: whatever finds contents, storing, resuming and judging are the same."""

import pytest
import torch

from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.runs import RunFolder, prepare


class OneByOne:
    """A solver as another host could be one: it takes problems from the end, each alone."""

    made: list["OneByOne"]

    def __init__(self, generator, config):
        self.inner = ContentOptimizer(generator, config)
        self.asked = []
        OneByOne.made.append(self)

    def iterate(self, problems, on_step=None, stop=None):
        for problem in reversed(problems):
            if stop is not None and stop.is_set():
                return
            self.asked.append(problem.id)
            yield from self.inner.iterate([problem], on_step, stop)


def config(place, name):
    return RunConfig(
        generator=GeneratorConfig(model="tiny", device="cpu", dtype="float64"),
        data=DataConfig(num_examples=3),
        optimizer=OptimizerConfig(K=8, lr=0.1, num_steps=150, num_restarts=1),
        stage="1,2,3",
        ignore_gates=True,
        output_dir=str(place),
        run_name=name,
    )


@pytest.fixture(scope="module")
def both(tmp_path_factory, tiny64):
    """The same run by the loop and by another solver."""
    place, OneByOne.made = tmp_path_factory.mktemp("results"), []
    for name, make_solver in (("loop", ContentOptimizer), ("other", OneByOne)):
        with prepare(config(place, name), make_solver, generator=tiny64) as run:
            run.run()
    return RunFolder.read(place / "loop"), RunFolder.read(place / "other")


def test_another_solver_gives_the_same_run(both):
    loop, other = both
    assert any(len(solver.asked) == 3 for solver in OneByOne.made), "it was not asked"
    for stage in (1, 2):
        records = [{record["problem"]: record for record in folder.records(stage)} for folder in both]
        assert records[0].keys() == records[1].keys()
        for problem, record in records[0].items():
            again = records[1][problem]
            assert (record["steps"], record["reconstructed"]) == (again["steps"], again["reconstructed"])
            torch.testing.assert_close(loop.content(record), other.content(again), rtol=0, atol=1e-6)
    outcomes = [{record["problem"]: record["outcome"] for record in folder.records(3)} for folder in both]
    assert outcomes[0] == outcomes[1]


def test_records_say_what_their_problems_are(both):
    loop, _ = both
    kinds = [(record["kind"], record["problem_restart"], record["variant"]) for record in loop.records(1)]
    assert sorted(kinds) == [("answer", 0, "")] * 3 + [("question", 0, "")] * 3
    for record in (*loop.records(2), *loop.records(3)):
        assert record["kind"] == "joint" and [view["kind"] for view in record["views"]] == ["question", "answer"]
