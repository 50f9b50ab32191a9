"""Families of targets: each a run that goes on where it stopped, and a row of the table."""

import dataclasses
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import dcm_helpers.learnability as command
from dcm_helpers.config import DiffuserConfig, TargetsConfig
from dcm_helpers.diffuser import apart, examples_of_runs, topics_of
from dcm_helpers.errors import InputError
from dcm_helpers.stm import joint_problems
from dcm_helpers.targets import (
    FAMILIES,
    KEYS,
    REFINED_STEPS,
    Family,
    cross_predicted,
    kept_rows,
    make_family,
    split,
)
from dcm_helpers.targets.families import predicted_starts
from dcm_helpers.targets.table import HELD


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return TargetsConfig(
        model="tiny",
        device="cpu",
        dtype="float32",
        num_examples=10,
        num_steps=60,
        output_dir=str(tmp_path_factory.mktemp("t")),
    )


@pytest.fixture(scope="module")
def shared(tiny, config):
    return make_family(FAMILIES["shared"], config, tiny, threading.Event())


def test_families_follow_each_other():
    assert list(FAMILIES)[:4] == ["apart", "shared", "near", "learned"]
    names = list(FAMILIES)
    assert all(not each.after or names.index(each.after) < names.index(each.name) for each in FAMILIES.values())


def test_a_family_is_a_run_with_a_content_for_every_pair(shared):
    assert len(shared.records(2)) == 10 and all(record["stop_reason"] for record in shared.records(2))
    starts = shared.starts
    assert torch.equal(starts, starts[:1].expand_as(starts)), "they begin apart"


def test_nobody_is_predicted_from_itself(shared):
    examples, pairs = examples_of_runs([shared], DiffuserConfig(reads="pair"), exact=False)
    topics = topics_of(pairs)
    before = cross_predicted("mean", examples, topics)
    changed = [
        dataclasses.replace(each, content=each.content + 100 * (topic == topics[0]))
        for each, topic in zip(examples, topics, strict=True)
    ]
    after = cross_predicted("mean", changed, topics)
    mine = [topic == topics[0] for topic in topics]
    assert torch.equal(before[mine], after[mine])
    _, held = apart(topics, HELD, seed=0)
    assert torch.equal(before, after) == (0 in held), "only what is not held out tells of others"


def test_what_is_held_out_tells_of_nothing(shared):
    """Contents of held-out topics may be anything: nobody's prediction, and so nobody's start, depends on them."""
    examples, pairs = examples_of_runs([shared], DiffuserConfig(reads="pair"), exact=False)
    known, held = apart(topics_of(pairs), HELD, seed=0)
    assert [each.problem.id for each in split(shared, "pair").held] == [examples[place].problem.id for place in held]
    changed = list(examples)
    for place in held:
        changed[place] = dataclasses.replace(examples[place], content=examples[place].content + 100)
    before, after = (cross_predicted("mean", some, topics_of(pairs)) for some in (examples, changed))
    assert torch.equal(before, after)
    changed[known[0]] = dataclasses.replace(examples[known[0]], content=examples[known[0]].content + 100)
    assert not torch.equal(before[held], cross_predicted("mean", changed, topics_of(pairs))[held])


def test_what_is_refined_begins_at_its_prediction(tiny, config, shared):
    refined = Family("refined", "for a test", {"start": "shared", "num_steps": REFINED_STEPS}, after="shared")
    stop = threading.Event()
    with pytest.raises(InputError, match="not-made"):
        make_family(dataclasses.replace(refined, after="not-made"), config, tiny, stop)
    run = make_family(refined, config, tiny, stop)
    examples, pairs = examples_of_runs([shared], DiffuserConfig(reads="pair"), exact=False)
    topics = topics_of(pairs)
    begun = dict(zip((each.problem.id for each in examples), cross_predicted("ridge", examples, topics), strict=True))
    assert all(
        torch.equal(each.initial, begun[each.id]) for each in predicted_starts(joint_problems(tiny, pairs), shared)
    )
    for solution in run.solutions:
        assert solution.record["steps"] <= REFINED_STEPS
        moved = (solution.content - begun[solution.record["problem"]]).abs().max()
        assert moved <= 1.01 * run.optimizer.lr * REFINED_STEPS * 3.2, "Adam moves no coordinate farther"


def test_contents_move_in_the_directions_that_were_learned(tiny, config, shared):
    family = dataclasses.replace(FAMILIES["subspace"], optimizer={"start": "shared", "num_steps": 3})
    stopped = threading.Event()
    stopped.set()
    make_family(family, config, tiny, stopped)
    path = Path(config.output_dir) / "subspace.safetensors"
    assert not path.exists(), "directions that were learned in part are taken for learned"
    run = make_family(family, config, tiny, threading.Event())
    basis = load_file(path)["basis"].double()
    moved = (torch.stack([each.content for each in run.solutions]) - run.starts).double().flatten(0, 1)
    assert moved.norm(dim=1).min() > 0
    torch.testing.assert_close(moved @ basis.T @ basis, moved, atol=1e-4, rtol=0)
    before = path.read_bytes()
    assert len(make_family(family, config, tiny, threading.Event()).solutions) == 10 and path.read_bytes() == before


def test_one_content_for_several_phrasings_is_judged_by_the_pair_s_own(tiny, config):
    family = dataclasses.replace(FAMILIES["phrasings"], name="several", optimizer={"start": "shared"})
    run = make_family(family, dataclasses.replace(config, num_examples=4, num_steps=5), tiny, threading.Event())
    assert all(len(record["views"]) > 2 for record in run.records(2))
    parts = split(run, "question")
    assert all(len(each.problem.views) == 2 for each in parts.learned + parts.held)
    arithmetic = dataclasses.replace(config, dataset="arithmetic")
    with pytest.raises(InputError, match="have no other phrasings"):
        make_family(dataclasses.replace(family, name="none"), arithmetic, tiny, threading.Event())


def test_the_command_makes_measures_and_continues(tmp_path, capsys):
    options = (
        "--families shared --predictors mean ridge network --reads question --model tiny --device cpu --dtype float32"
    )
    small = ["--network.width", "16", "--network.blocks", "1", "--network.heads", "2", "--train-steps", "3"]
    place = [*small, "--num-examples", "10", "--num-steps", "60", "--output-dir", str(tmp_path)]
    for _ in range(2):
        assert command.main([*options.split(), *place]) == 0
        told = capsys.readouterr()
        rows = kept_rows(tmp_path / "table.json")
        assert [row["predictor"] for row in rows] == ["mean", "ridge", "network"]
    assert "Measuring" not in told.err, "what was measured is measured again"
    figures = rows[0].keys() - {*KEYS, "learned_from", "held_out", "targets_exact"}
    assert figures == {"r2", "own_nearest", "within_radius", "kl", "nats", "exact", "evaluations", "optimized"}
    assert rows[0]["learned_from"] + rows[0]["held_out"] == 10 and rows[0]["r2"].startswith(("0.000", "-0.0"))
    assert rows[2]["learned_from"] < rows[0]["learned_from"], "a network's best step is chosen on some of them"
    assert command.main([*options.split(), *place, "--train-steps", "4"]) == 0
    assert [row["made"] for row in kept_rows(tmp_path / "table.json")[2:]] == [
        f"1 blocks of 16, {steps} steps" for steps in (3, 4)
    ], "another training has a row of its own"
    (tmp_path / "table.json").write_text("[1]")
    assert command.main([*options.split(), *place]) == 2
    assert "no table of learnability" in capsys.readouterr().err
    assert command.main(["--families", "none", *place]) == 2
    assert "expected some of apart, shared" in capsys.readouterr().err
