"""What remedies are worth: measures with known answers, and the ablation from end to end on the tiny Generator."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from stand_ins import Told

from dcm_helpers.ablate import main
from dcm_helpers.controls import remedies
from dcm_helpers.controls.remedies import MEASURES, NONE, REMEDIES, own_distances, remedy_part, use_of, worth
from dcm_helpers.errors import InputError
from dcm_helpers.inquiry import Study, StudyConfig
from dcm_helpers.study.questions import parts_of


def made_up(better=(), pairs=24):
    """A table in which remedies differ from none by noise alone, but for those that are better by known shares."""
    random, rows = np.random.default_rng(0), []
    base = {measure.column: random.gamma(20, 1, pairs) for measure in MEASURES}
    for name in REMEDIES:
        values = {column: numbers * np.exp(random.normal(0, 0.05, pairs)) for column, numbers in base.items()}
        if name in dict(better):
            column, factor = dict(better)[name]
            values[column] = values[column] * factor
        values["exact"] = np.ones(pairs)
        rows.append(pd.DataFrame({"remedy": name, "pair": range(pairs), **values}))
    return pd.concat(rows)


def test_what_differs_is_told_and_nothing_else():
    better = (
        ("semantic", ("steps", 0.7)),
        ("noise", ("radius", 1.4)),
        ("travel", ("answer", 0.8)),
        ("mlp", ("distance", 1.3)),
    )
    said = {each.answer.question: each.answer.answer for each in worth(Told(made_up(better)))}
    assert said["What is semantic worth?"] == "could be a default; fewer steps"
    assert said["What is noise worth?"] == "could be a default; bears more noise"
    assert said["What is travel worth?"] == "could be a default; unseen answers likelier"
    assert said["What is mlp worth?"] == "of no use here; solutions of a pair farther"
    others = [answer for question, answer in said.items() if not any(f" {name} " in question for name, _ in better)]
    assert len(others) == len(REMEDIES) - 1 - len(better)
    assert sum(answer != "no difference shown" for answer in others) <= 1, "of 140 tests hardly one is told by chance"
    relations = next(each for each in worth(Told(made_up())) if "relations" in each.measured)
    assert not any(quantity.name == "distance" for quantity in relations.control), "it asks for that itself"


def test_what_is_better_and_worse_is_an_option():
    assert [use_of(those) for those in ([], [True], [False], [True, False])] == [
        "no difference shown",
        "could be a default",
        "of no use here",
        "an option",
    ]


def test_distances_within_pairs_are_told_over_those_between():
    @dataclasses.dataclass
    class Found:
        problem: object
        content: torch.Tensor

    @dataclasses.dataclass
    class Asked:
        pair: str

    angles = {"a": (0.0, 0.1), "b": (1.5, 1.6)}
    found = [
        Found(Asked(pair), torch.tensor([[np.cos(angle), np.sin(angle)]], dtype=torch.float64))
        for pair, two in angles.items()
        for angle in two
    ]
    ratios = own_distances(found, ["b", "a"])
    between = np.mean([2 * np.sin(abs(one - other) / 2) for one in angles["a"] for other in angles["b"]])
    assert ratios == pytest.approx([2 * np.sin(0.05) / between] * 2)


def test_every_remedy_has_a_part_of_its_own():
    config = StudyConfig(questions=("remedies",))
    parts = {part.name: part for part in parts_of(config)}
    assert len(parts) == len(REMEDIES) == len({part.name for part in parts_of(config)}) == len(parts)
    assert remedy_part("the mission's combination") == "confident-with-the-missions-combination"
    assert dict(parts[remedy_part("semantic")].optimizer.terms) == {"semantic": 0.3}
    assert parts[remedy_part("mlp")].optimizer.parameterization == "mlp"
    assert not parts[remedy_part(NONE)].optimizer.terms
    assert not any(name in {part.name for part in parts_of(StudyConfig())} for name in parts)
    some = StudyConfig(questions=("remedies",), remedies=("noise", "mlp"))
    assert [part.name for part in parts_of(some)] == [remedy_part(name) for name in (NONE, "noise", "mlp")]
    with pytest.raises(InputError, match="no remedy 'prayer'; expected some of: none, temperature"):
        parts_of(StudyConfig(questions=("remedies",), remedies=("prayer",)))


def test_an_ablation_from_end_to_end(tmp_path, monkeypatch):
    some = {name: REMEDIES[name] for name in (NONE, "temperature", "noise", "projection")}
    monkeypatch.setattr(remedies, "REMEDIES", some)
    arguments = ["--model", "tiny", "--device", "cpu", "--num-examples", "6", "--controls", "3", "--num-steps", "60"]
    assert main([*arguments, "--output-dir", str(tmp_path)]) == 0
    table = Study(tmp_path).table("remedies")
    assert len(table) == 4 * 3 and set(table["remedy"]) == set(some)
    assert table["elsewhere"].between(0, 1).all() and table["radius"].between(0, 0.5).all()
    assert table["clean"].between(0, 1).all() and (table["distance"] > 0).all()
    oracle, subspace = (Study(tmp_path).table(name) for name in ("oracle", "subspace"))
    assert len(oracle) == 3 and (oracle[["distance", "null", "travel"]] > 0).all(axis=None)
    assert (oracle["distilled_diverges"] < oracle["written_diverges"]).all(), "it is what is asked for"
    assert len(subspace) == 3 * 2 * 3 and subspace["overlap"].between(0, 1).all()
    page = (tmp_path / "README.md").read_text()
    assert (
        page.startswith("# What remedies are worth") and "What is projection worth?" in page and "RELATED" not in page
    )
