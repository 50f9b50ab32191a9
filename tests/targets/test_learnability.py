"""Predictions whose worth is known: of a content that follows from its condition, and of one that does not."""

import dataclasses

import pytest
import torch

from dcm_helpers.config import DiffuserConfig, OptimizerConfig
from dcm_helpers.diffuser import contents_of, examples_of_runs
from dcm_helpers.errors import InputError
from dcm_helpers.targets import (
    evaluations_from,
    evaluations_over,
    features,
    in_contents,
    in_predictions,
    predicted,
    radii,
)

K, D, Y = 2, 6, 5


@pytest.fixture(scope="module")
def found(example):
    return examples_of_runs([example], DiffuserConfig())[0]


def made(found, count, follow, seed=0):
    """Examples whose contents follow from the mean of their conditions, or from nothing."""
    random = torch.Generator().manual_seed(seed)
    turn = torch.randn(Y, K * D, generator=torch.Generator().manual_seed(9))
    examples = []
    for number in range(count):
        states = torch.randn(int(torch.randint(3, 7, (1,), generator=random)), Y, generator=random)
        content = (states.mean(0) @ turn if follow else torch.randn(K * D, generator=random)).reshape(K, D)
        problem = dataclasses.replace(found[0].problem, id=str(number))
        examples.append(dataclasses.replace(found[0], problem=problem, condition=states, content=content))
    return examples


def r2(name, follow, found):
    learned, held = made(found, 120, follow), made(found, 40, follow, seed=1)
    table = in_contents(predicted(name, learned, [i % 6 for i in range(120)], held), held, learned)
    return 1 - table["error"].sum() / table["from_mean"].sum(), table["own_nearest"].mean()


def test_what_follows_from_conditions_is_predicted(found):
    assert r2("ridge", True, found)[0] > 0.95 and r2("ridge", True, found)[1] > 0.9
    assert 0.2 < r2("nearest pair", True, found)[0] < 0.9, "a neighbor is near, and not the same"


def test_what_follows_from_nothing_is_not(found):
    value, own = r2("ridge", False, found)
    assert value < 0.02 and own < 0.15
    assert r2("nearest pair", False, found)[0] < -0.5, "another content is twice as far as their mean"


def test_the_mean_explains_nothing(found):
    value, own = r2("mean", True, found)
    assert value == pytest.approx(0, abs=1e-6) and own == pytest.approx(1 / 40)


def test_features_tell_the_mean_and_the_last_state(found):
    (one,) = features(made(found, 1, True))
    states = made(found, 1, True)[0].condition.double()
    assert one == pytest.approx(torch.cat([states.mean(0), states[-1]]).numpy())


def test_mistakes_are_named(found):
    with pytest.raises(InputError, match="no predictor 'tree'"):
        predicted("tree", found, [0] * len(found), found)
    with pytest.raises(InputError, match="one topic"):
        predicted("ridge", found, [0] * len(found), found)


def test_predictions_part_where_contents_do(example, found):
    contents = contents_of(found)
    assert in_predictions(example.generator, contents, found).abs().max() < 1e-6
    near, far = (
        in_predictions(example.generator, contents + size * torch.randn(contents.shape), found) for size in (0.01, 1)
    )
    assert (near >= 0).all() and (far > near).all()


def test_from_where_optimization_ended_nothing_is_left_to_do(example, found):
    starts = {"own": None, "found": contents_of(found), "another's": contents_of(found).roll(1, 0)}
    table = evaluations_from(example.generator, found, OptimizerConfig(K=8, num_steps=300), starts)
    by_start = table.groupby("start")["evaluations"]
    assert (table.loc[table["start"] == "found", "evaluations"] == 1).all() and table["exact"].all()
    records = {record["problem"]: record for record in example.records(2)}
    own = table[table["start"] == "own"].set_index("problem")["evaluations"]
    apart = {name: int(own[name] - records[name]["steps_to_exact"] - 1) for name in own.index}
    assert all(abs(steps) <= 2 for steps in apart.values()), (
        apart
    )  # rounding, by what shares a batch; others differ by tens
    assert by_start.mean()["another's"] > 5
    assert evaluations_over(table, "found", "own").value == pytest.approx(1 / own.prod() ** (1 / len(own)))


def test_radii_are_between_nothing_and_everything(example, found):
    (none,) = radii(example.generator, found[:1], [1e-6, 50.0])
    assert 1e-6 <= none < 50
    assert radii(example.generator, found[:1], [1e-6]) == [1e-6], "as far as was looked"
