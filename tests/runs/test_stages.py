"""Stages are handed their solver: whatever finds contents, storing, resuming and judging are the same."""

import pytest
import torch

from dcm_helpers.config import MODES, DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.errors import InputError
from dcm_helpers.learned import Diverged
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.runs import prepare, problem_of, result_record, stages
from dcm_helpers.runs.baselines import TASK, kept_task_losses
from dcm_helpers.show import run_summary
from dcm_helpers.stm import of_class
from dcm_helpers.store import RunFolder


class OneByOne:
    """A solver as another host could be one: it takes problems from the end, each alone."""

    made: list["OneByOne"]

    def __init__(self, generator, config):
        self.inner = ContentOptimizer(generator, config)
        self.asked = []
        self.set_aside = {}
        OneByOne.made.append(self)

    def iterate(self, problems, on_step=None, stop=None):
        for problem in reversed(problems):
            if stop is not None and stop.is_set():
                return
            self.asked.append(problem.id)
            yield from self.inner.iterate([problem], on_step, stop)


def config(place, name, **changes):
    settings = dict(
        generator=GeneratorConfig(model="tiny", device="cpu", dtype="float64"),
        data=DataConfig(num_examples=2),
        optimizer=OptimizerConfig(K=8, lr=0.1, num_steps=100, num_restarts=1),
        stage="2,3",
        ignore_gates=True,
        output_dir=str(place),
        run_name=name,
    )
    return RunConfig(**{**settings, **changes})


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
    assert any(len(solver.asked) == 2 for solver in OneByOne.made), "it was not asked"
    records, again = ({record["problem"]: record for record in folder.records(2)} for folder in both)
    assert records.keys() == again.keys()
    for problem, record in records.items():
        assert (record["steps"], record["reconstructed"]) == (again[problem]["steps"], again[problem]["reconstructed"])
        torch.testing.assert_close(loop.content(record), other.content(again[problem]), rtol=0, atol=1e-6)
    outcomes = [{record["problem"]: record["outcome"] for record in folder.records(3)} for folder in both]
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("compiling, asked", [("auto", [2]), ("always", []), ("never", [])])
def test_whether_compiling_pays_is_asked_of_what_is_left_to_do(tmp_path, tiny64, monkeypatch, compiling, asked):
    """And only where it was left open: a run that goes on has less to do."""
    counted = []
    monkeypatch.setattr(stages, "compile_where_it_pays", lambda generator, problems, _: counted.append(len(problems)))
    generator = GeneratorConfig(model="tiny", device="cpu", dtype="float64", compile=compiling)
    settings = config(tmp_path, "run", generator=generator, stage="2")
    for _ in range(2):
        with prepare(settings, ContentOptimizer, generator=tiny64) as run:
            run.run()
    assert counted == asked


def test_records_say_what_their_problems_are(example):
    kinds = [(record["kind"], record["problem_restart"], record["variant"]) for record in example.records(1)]
    assert sorted(kinds) == [("answer", 0, "")] * 6 + [("question", 0, "")] * 6
    for record in (*example.records(2), *example.records(3)):
        assert record["kind"] == "joint" and [view["kind"] for view in record["views"]] == ["question", "answer"]


def test_a_third_mode_is_a_row_of_the_table(tmp_path, monkeypatch):
    """Problems, stages, baselines and verdicts follow the mapping from words to kinds of text."""
    monkeypatch.setitem(MODES, "T", "topic")
    short = OptimizerConfig(K=8, lr=0.1, num_steps=3, num_restarts=1)
    three = config(tmp_path, "three", mode_tokens=("Q", "A", "T"), stage="1,2,3", optimizer=short)
    with prepare(three, ContentOptimizer) as run:
        summary = run.run()
    assert [view["kind"] for view in run.folder.records(2)[0]["views"]] == ["question", "answer", "topic"]
    assert set(run.folder.records(2)[0]["views"][2]["baselines"]) == {"random", "single_token"}
    assert summary["stage1"]["expected"] == 6 and summary["stage1"]["complete"]
    assert "loss / full context, topic" in run_summary(run.folder)


def diverged(*_):
    raise Diverged("far off")


def test_a_task_level_prompt_becomes_a_baseline(tmp_path, tiny64, monkeypatch, capsys):
    """It is found once, told beside the others, and its violators are named."""
    asked = config(tmp_path, "task", task_steps=2, stage="2")
    with prepare(asked, ContentOptimizer, generator=tiny64) as run:
        summary = run.run()
    losses = kept_task_losses(run.folder, run.dataset.pairs)
    for record in run.folder.records(2):
        question, answer = record["views"]
        assert "task" not in question["baselines"] and answer["baselines"]["task"] == losses[record["pair"]]
    assert summary["stage2"]["below_task"]["n"] == 2 and summary["stage2"]["below_task"]["not_below"] == []
    assert "answers below a task-level prompt" in run_summary(run.folder)
    (run.folder.path / "stage2.jsonl").write_text("")
    monkeypatch.setattr("dcm_helpers.runs.stages.task_losses", None)  # the same command does not find it again
    with prepare(asked, ContentOptimizer, generator=tiny64) as run:
        assert run.run()["stage2"]["below_task"]["n"] == 2
    (run.folder.path / TASK).unlink()
    (run.folder.path / "stage2.jsonl").write_text("")
    monkeypatch.setattr("dcm_helpers.runs.stages.task_losses", diverged)
    with prepare(asked, ContentOptimizer, generator=tiny64) as run:
        summary = run.run()["stage2"]
    assert summary["complete"] and summary["below_task"] is None, "a baseline less is no reason to lose the run"
    assert "goes on without it: far off; a lower --lr may do" in capsys.readouterr().err
    (run.folder.path / TASK).write_text('{"a": {"loss": "low", "loss_text": 1.0}}')
    with pytest.raises(InputError, match=r"task.json: a.loss: .*delete it; it is found again"):
        kept_task_losses(run.folder, run.dataset.pairs)
    (run.folder.path / TASK).write_text('{"a": {"loss": 1.0, "loss_text": 1.0}}')
    with pytest.raises(InputError, match=r"other pairs than this run has; delete it"):
        kept_task_losses(run.folder, run.dataset.pairs)


def test_a_views_weight_is_kept_and_read_back(tmp_path, tiny64, pairs):
    problem = of_class(tiny64, pairs[0], own=3.0)
    short = OptimizerConfig(K=4, num_steps=2, num_restarts=1)
    (result,) = ContentOptimizer(tiny64, short).optimize([problem])
    record = result_record(tiny64, result, 2, short)
    again = problem_of(tiny64, {**record, "views": [dict(view) for view in record["views"]]})
    assert [view.weight for view in again.views] == [view.weight for view in problem.views] and again == problem


def test_what_cannot_be_compared_with_is_told_before_anything_is_done(tmp_path, tiny64):
    bare = tmp_path / "bare.jsonl"
    bare.write_text('{"question": "Which bird?", "answer": "The wren"}\n')
    asks, relates = (OptimizerConfig(terms=((name, 0.5),)) for name in ("oracle", "relations"))
    for changes, message in (
        ({"task_steps": 5, "data": DataConfig(num_examples=1)}, "of 1 pairs all share an answer or a context"),
        ({"optimizer": asks, "data": DataConfig(str(bare))}, "has no context"),
        ({"optimizer": relates, "data": DataConfig(num_examples=1)}, "this run has one pair; use more pairs"),
    ):
        with pytest.raises(InputError, match=message):
            prepare(config(tmp_path, "never", **changes), ContentOptimizer, generator=tiny64)
    assert not (tmp_path / "never").exists()
    relations = [OptimizerConfig(terms=(("relations", 1.0),), batch_size=size) for size in (2, 4)]
    identities = [RunConfig(optimizer=each).identity() for each in relations]
    assert identities[0] != identities[1], "what is in flight decides what is found"


def test_a_setting_added_later_leaves_earlier_runs_their_names(monkeypatch):
    before = RunConfig().identity()
    assert "task_steps" not in before and RunConfig(task_steps=9).identity()["task_steps"] == 9
    monkeypatch.setattr("dcm_helpers.config.run.ADDED_LATER", frozenset({"beta2"}))
    assert "beta2" not in RunConfig().identity()["optimizer"] and "beta2" in before["optimizer"]
    assert RunConfig(optimizer=OptimizerConfig(beta2=0.99)).identity()["optimizer"]["beta2"] == 0.99


def test_terms_are_stored_so_that_runs_of_before_are_found_again():
    """A term and a parameterization of the first versions keep their names there; others stand where they are used."""
    plain = OptimizerConfig().stored()
    assert plain["token_distance"] == 0 and plain["hold_norm"] is False
    assert not {"terms", "parameterization"} & plain.keys()
    former = {**plain, "token_distance": 0.1, "hold_norm": True}
    then = OptimizerConfig.of_stored(former)
    assert then.terms == (("token_distance", 0.1),) and then.parameterization == "held_norm" and then.stored() == former
    now = OptimizerConfig(terms=(("semantic", 0.3), ("travel", 0.0), ("token_distance", 1.0)), parameterization="mlp")
    assert now.stored()["terms"] == {"semantic": 0.3}, "what has no weight is no term"
    again = OptimizerConfig.of_stored(now.stored())
    assert dict(again.terms) == {"semantic": 0.3, "token_distance": 1.0} and again.parameterization == "mlp"
