"""Training a Diffuser: what it learns from, what it minimizes, and that a stop changes nothing."""

import dataclasses
import os
import random as random_module
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from dcm_helpers.config import DiffuserConfig, NetworkConfig
from dcm_helpers.diffuser import (
    Listed,
    Made,
    Scale,
    Training,
    apart,
    contents_of,
    cross_entropy,
    examples_of_runs,
    keep_settings,
    load_diffuser,
    measures_of,
    settings_of,
    train,
    usual_of,
    writing_of,
)
from dcm_helpers.diffuser.kept import BEST
from dcm_helpers.diffuser.session import STATE, restore_state
from dcm_helpers.errors import InputError
from dcm_helpers.pairs import Pair, make_fact
from dcm_helpers.stm import lay_out, scored, target_logits, view_rows

SMALL = NetworkConfig(width=16, blocks=1, heads=2)
FLOW = DiffuserConfig(network=SMALL, entropy=0.1, heard=2, steps=12, batch=3, lr=1e-3)
DIRECT = dataclasses.replace(FLOW, kind="direct", targets=0.0, entropy=1.0)


@pytest.fixture(scope="module")
def examples(example):
    return examples_of_runs([example], FLOW)[0]


def begun(generator, examples, config=FLOW):
    return Training(generator, config, Scale.of(contents_of(examples)), usual_of([each.condition for each in examples]))


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_examples_are_what_a_run_found(example, examples):
    found = {each.record["problem"]: each for each in example.solutions if each.record["reconstructed"]}
    assert len(found) == len(examples) >= 3
    order = list(example.pairs)
    assert [order.index(each.problem.pair) for each in examples] == sorted(
        order.index(e.problem.pair) for e in examples
    )
    for ours in examples:
        solution = found[ours.problem.id]
        assert ours.problem.id == solution.record["problem"] and torch.equal(ours.content, solution.content)
        assert [view.kind for view in ours.problem.views] == ["question", "answer"]
    alone, _ = examples_of_runs([example], dataclasses.replace(FLOW, writes="answer"))
    assert all([view.kind for view in each.problem.views] == ["answer"] for each in alone)


def test_whole_topics_are_writing_of():
    topics = list("aabbbccdde")
    learned, held = apart(topics, 0.4, 0)
    assert sorted(learned + held) == list(range(10)) and held and learned
    assert not {topics[place] for place in learned} & {topics[place] for place in held}
    with pytest.raises(InputError, match="held out"):
        apart(["a", "a"], 0.5, 0)


def test_a_step_s_examples_depend_on_its_number_alone(examples):
    through = Listed(examples, 1)
    in_turn = [[each.problem.id for each in through.of_step(step, 2)] for step in range(6)]
    for step in (4, 1, 5):
        assert [each.problem.id for each in Listed(examples, 1).of_step(step, 2)] == in_turn[step]
    each_pass = len(examples) // 2
    assert len({name for ids in in_turn[:each_pass] for name in ids}) == 2 * each_pass, "one came twice too early"


def test_made_pairs_can_be_answered_from_their_passage_alone(tiny):
    made = Made(tiny, DIRECT, lambda number: make_fact(number, 3), 12)
    steps = [made.of_step(step, 4) for step in range(6)]
    ids = [each.problem.pair for step in steps for each in step]
    assert len(set(ids[:12])) == 12 and set(ids[12:]) == set(ids[:12]) and ids[12:] != ids[:12]
    assert {id(each) for step in steps[3:] for each in step} == {id(each) for each in made.read.values()}, "read twice"
    again = Made(tiny, DIRECT, lambda number: make_fact(number, 3), 12)
    assert [each.problem.pair for each in again.of_step(4, 4)] == [each.problem.pair for each in steps[4]]
    for number in range(20):
        pair = make_fact(number, 3)
        asked = pair.question.removeprefix("What does ").removesuffix(" have?")
        assert f"{asked} has a {pair.answer}." in pair.context and pair.context.count(" has a ") == 3
        assert pair.context.count(f"{asked} ") == 1, "nobody has two things"
    assert len({make_fact(number, 3).context for number in range(50)}) == 50
    with pytest.raises(InputError, match="facts is 1000"):
        make_fact(0, 1000)


def test_a_scale_goes_there_and_back(examples):
    contents = contents_of(examples)
    scale = Scale.of(contents)
    standard = scale.standard(contents)
    torch.testing.assert_close(scale.contents(standard), contents)
    assert standard.mean(0).abs().max() < 1e-5 and standard.square().mean().item() == pytest.approx(1, rel=1e-4)
    with pytest.raises(InputError, match="all are the same"):
        Scale.of(torch.ones(3, 2, 4))


def test_cross_entropy_has_the_gradient_of_the_plain_one(tiny64, examples):
    contents = contents_of(examples[:3]).double().requires_grad_()
    nats, surrogate = cross_entropy(tiny64, examples[:3], contents)
    rows = view_rows(tiny64, [each.problem for each in examples[:3]])
    scores = scored(target_logits(tiny64, lay_out(tiny64, rows, contents.shape[1]), contents), lay_out(tiny64, rows, 8))
    plain = scores.nll.sum() / sum(len(row.target_ids) for row in rows)
    assert nats == pytest.approx(plain.item())
    (ours,), (wanted,) = (torch.autograd.grad(value, contents) for value in (surrogate, plain))
    torch.testing.assert_close(ours, wanted)


@pytest.mark.parametrize("config", [FLOW, DIRECT], ids=["flow", "direct"])
def test_what_is_trained_on_is_learned(tiny, examples, config):
    """Not how well: its losses fall, and without noise it serves better than the mean."""
    config = dataclasses.replace(config, steps=150, lr=5e-3, batch=4, average=0.9, network=NetworkConfig(32, 2, 2))
    training, kept = begun(tiny, examples, config), Listed(examples)
    told = [training.update(kept.of_step(step, 4)) for step in range(config.steps)]
    name = "distance" if config.targets else "nats"
    first, last = (sum(each[name] for each in some) for some in (told[:20], told[-20:]))
    assert last < 0.8 * first
    mean = begun(tiny, examples, config).diffuser  # untrained, its estimates are 0: the mean
    if config.kind == "direct":  # what a flow makes is one of many, and so farther from what is right than their mean
        assert writing_of(tiny, training.diffuser, examples)["nats"] < 0.9 * writing_of(tiny, mean, examples)["nats"]


def test_a_stop_changes_nothing(tiny, examples, tmp_path):
    """Stopped after every few steps and begun anew from the folder, training ends with the same bits."""
    whole = begun(tiny, examples)
    (tmp_path / "whole").mkdir()
    best = train(tmp_path / "whole", whole, Listed(examples), examples[:2])

    class After(threading.Event):
        left = 5

        def is_set(self):
            self.left -= 1
            return self.left < 0

    (tmp_path / "parts").mkdir()
    for _ in range(4):
        parts = begun(tiny, examples)
        again = train(tmp_path / "parts", parts, Listed(examples), examples[:2], After())
    assert parts.step == whole.step == FLOW.steps
    assert same(parts.network, whole.network) and same(parts.average, whole.average)
    measures = measures_of(tmp_path / "whole")
    assert again == best == min((m["chosen_on"] | {"step": m["step"]} for m in measures), key=lambda m: m["nats"])
    assert [each["chosen_on"] for each in measures_of(tmp_path / "parts")] == [m["chosen_on"] for m in measures]
    assert (tmp_path / "parts" / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()


def test_a_diffuser_is_read_back(tiny, tiny64, examples, tmp_path):
    training = begun(tiny, examples)
    keep_settings(tmp_path, settings_of(tiny, FLOW, training.scale, {"runs": []}))
    with pytest.raises(InputError, match=r"best\.safetensors is missing"):
        load_diffuser(tmp_path, tiny)
    train(tmp_path, training, Listed(examples), examples[:2])
    found = load_diffuser(tmp_path, tiny)
    best = writing_of(tiny, found, examples[:2])
    assert best["nats"] == pytest.approx(min(each["chosen_on"]["nats"] for each in measures_of(tmp_path)), rel=1e-6)
    with pytest.raises(InputError, match="another entropy, kind, targets;"):
        keep_settings(tmp_path, settings_of(tiny, DIRECT, training.scale, {"runs": []}))
    with pytest.raises(InputError, match="mean nothing to tiny in float64"):
        load_diffuser(tmp_path, tiny64)
    (tmp_path / STATE).write_bytes(b"no tensors")
    with pytest.raises(InputError, match="is damaged"):
        train(tmp_path, begun(tiny, examples), Listed(examples), examples[:2])


def test_a_training_that_is_killed_ends_as_one_that_is_not(tmp_path):
    """Killed from outside wherever it stands, and begun again by the same command."""
    options = (
        "--facts 2 --model tiny --dtype float32 --K 2 --writes answer --targets 0 --entropy 1 --kind direct --width 16 "
        "--blocks 1 --heads 2 --steps 60 --batch 4 --heard 4 --keep-every 0 --output"
    )
    words = [sys.executable, "-m", "dcm_helpers.train_diffuser", *options.split()]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*words, str(tmp_path / "whole")], env=alone, check=True, capture_output=True)
    killed, state, random = 0, tmp_path / "killed" / STATE, random_module.Random(0)
    while True:
        process = subprocess.Popen([*words, str(tmp_path / "killed")], env=alone, stderr=subprocess.DEVNULL)
        before = state.stat().st_mtime_ns if state.exists() else 0
        while process.poll() is None and not (state.exists() and state.stat().st_mtime_ns > before):
            time.sleep(0.01)  # it has come at least a step further
        if killed == 5:
            assert process.wait() == 0
            break
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    for name in (STATE, BEST):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    whole, again = (measures_of(tmp_path / name) for name in ("whole", "killed"))
    assert [each["chosen_on"] for each in again] == [each["chosen_on"] for each in whole]


def test_what_diverges_is_ended_and_what_was_kept_stays(tiny, examples, tmp_path):
    wild = dataclasses.replace(FLOW, steps=60, lr=1e30, entropy=0.0)
    with pytest.raises(InputError, match=r"training diverged at step .* lower --lr than 1e"):
        train(tmp_path, begun(tiny, examples, wild), Listed(examples), examples[:2], keep_every=0)
    kept = begun(tiny, examples, wild)
    restore_state(tmp_path, kept)
    assert kept.step > 0 and all(weight.isfinite().all() for weight in kept.network.parameters())


def test_guidance_needs_what_was_learned_without_a_condition(tiny, examples):
    flow, direct = (begun(tiny, examples, config).diffuser for config in (FLOW, DIRECT))
    assert flow.sample(examples[:1], guidance=2.0).isfinite().all()
    with pytest.raises(InputError, match="guidance is 2; this Diffuser never learned"):
        direct.sample(examples[:1], guidance=2.0)


def test_what_is_written_on_the_way_ends_as_what_is_written(tiny, examples):
    diffuser, asked = begun(tiny, examples).diffuser, Pair("asked", "What is a hat trick?", "")
    way = diffuser.written_on_the_way(tiny, asked, seed=3, steps=4)
    assert [row["time"] for row in way] == [0, 0.25, 0.5, 0.75]
    (whole,) = diffuser.written(tiny, asked, seed=3, steps=4)
    assert {mode: way[-1][mode] for mode in ("Q", "A")} == whole
    with pytest.raises(InputError, match="reads the answer"):
        begun(tiny, examples, dataclasses.replace(FLOW, reads="pair")).diffuser.written(tiny, asked)


def test_slots_attend_at_every_step(tiny, examples):
    diffuser = begun(tiny, examples).diffuser
    shares = diffuser.attended(examples[0].condition, diffuser.noise(["x"]), steps=3)
    assert shares.shape == (3, 1, 8, len(examples[0].condition)) and ((shares >= 0) & (shares <= 1)).all()
