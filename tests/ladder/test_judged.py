"""What is written, and whether a Diffuser reads its condition, replays, or averages: each with a known answer."""

import dataclasses
import itertools

import pytest
import torch

from dcm_helpers.config import DiffuserConfig, NetworkConfig, OptimizerConfig
from dcm_helpers.diffuser import Listed, Scale, Sides, Training, contents_of, examples_of_runs, usual_of
from dcm_helpers.errors import InputError
from dcm_helpers.ladder import (
    exchanged_conditions,
    from_diffuser,
    from_known,
    from_text,
    ladder_rows,
    nearness,
    sharpness,
    written_after,
    written_from,
)

CONFIG = DiffuserConfig(network=NetworkConfig(16, 1, 2))


@pytest.fixture(scope="module")
def examples(example):
    return examples_of_runs([example], CONFIG)[0]


def test_what_was_found_is_written(example, examples):
    found = written_from(example.generator, examples, contents_of(examples))
    assert found["exact"].all() and found["match"].all() and (found["f1"] == 1).all()
    assert list(found["kind"]) == ["question", "answer"] * len(examples)
    texts = [view.target_text for each in examples for view in each.problem.views]
    assert list(found["text"]) == texts
    swapped = written_from(example.generator, examples, contents_of(examples).roll(1, 0))
    assert not swapped["exact"].any() and (swapped["nats"] > found["nats"]).all()


def test_prompts_are_judged_alike(example, examples):
    generator = example.generator
    pairs = [example.pairs[each.problem.pair] for each in examples]
    views = [each.problem.view("answer") for each in examples]
    asked = [
        (each.problem.id, view, generator.prompt_ids(pair.question, "Answer"))
        for each, view, pair in zip(examples, views, pairs, strict=True)
    ]
    found = written_after(generator, asked)
    alone = {r["problem"]: r["views"][1]["baselines"]["question_only"]["loss"] for r in example.records(2)}
    assert list(found["nats"]) == pytest.approx([alone[each.problem.id] for each in examples], rel=1e-4)
    after = written_after(generator, asked, contents_of(examples)[:1])
    assert not torch.allclose(torch.tensor(after["nats"]), torch.tensor(found["nats"])), "the content is not read"


def test_nobody_keeps_its_condition(examples):
    exchanged = exchanged_conditions(examples)
    for before, after in zip(examples, exchanged, strict=True):
        assert after.problem is before.problem and after.condition is not before.condition
    assert {id(each.condition) for each in exchanged} == {id(each.condition) for each in examples}
    with pytest.raises(InputError, match="1 of 1 examples are of one pair"):
        exchanged_conditions(examples[:1])


def test_a_replay_is_told_from_what_is_new():
    random = torch.Generator().manual_seed(0)
    learned, known = torch.randn(40, 2, 50, generator=random), torch.randn(5, 2, 50, generator=random)
    replayed = nearness(learned[:5], learned, known)
    assert (replayed["made_to_learned"] < 1e-6).all() and (replayed["optimized_to_learned"] > 1).all()
    found = nearness(known, learned, known)
    assert (found["made_to_optimized"] < 1e-6).all()
    assert list(found["made_to_learned"]) == pytest.approx(list(found["optimized_to_learned"]))
    averaged = nearness(learned.mean(0).expand(5, -1, -1), learned, known)
    assert averaged["made_to_learned"].mean() == pytest.approx(0.87, abs=0.1), "the mean lies nearer to all"


def test_one_that_averages_makes_one_thing(example, examples):
    scale = Scale.of(contents_of(examples))
    training = Training(example.generator, CONFIG, scale, usual_of([each.condition for each in examples]))
    assert sharpness(training.diffuser, examples, 3, 2) == pytest.approx(0), "untrained, it makes the mean"
    noisy = dataclasses.replace(training.diffuser, network=lambda noisy, *_: noisy)
    assert sharpness(noisy, examples, 64, 2).mean() == pytest.approx(1, abs=0.1), "what it makes is the noise"
    with pytest.raises(InputError, match="2 or more"):
        sharpness(training.diffuser, examples, 1, 2)


def test_a_rung_sets_a_diffuser_beside_what_needs_none(example, examples):
    generator = example.generator
    paired = [(example.pairs[each.problem.pair], each) for each in examples]
    scale = Scale.of(contents_of(examples))
    sides = Sides(generator, Listed(examples), paired[:3], examples[:1], paired[3:], scale)
    training = Training(
        generator, CONFIG, Scale.of(contents_of(examples)), usual_of([each.condition for each in examples])
    )
    settings = OptimizerConfig(K=8, num_steps=3)
    ways = from_text(sides, settings), from_known(sides), from_diffuser(sides, "a Diffuser", training.diffuser, steps=2)
    tables = dict(itertools.chain(*ways))
    assert list(tables) == [
        "question as text",
        "question as text after a task-level prompt",
        "passage and question as text",
        "passage and question as text after a task-level prompt",
        "the mean content of training",
        "what optimization found, where it did",
        "a Diffuser",
        "a Diffuser, conditions exchanged",
        "a Diffuser, the nearest content of training in its place",
    ]
    pairs = {each.problem.id: pair for pair, each in paired}
    (question, answer) = ladder_rows("x", tables["what optimization found, where it did"], pairs)
    assert question["kind"] == "question" and answer["n"] == len(paired) - 3 and answer["intervals over"] == "pairs"
    assert question["exact"].startswith("1.000 (0.") and question["exact"].endswith("1.000), n=3"), (
        "all is no certainty"
    )
    assert answer["f1"].startswith("1.000")
