"""What remedies are worth: measures with known answers, and the ablation from end to end on the tiny Generator."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import torch
from stand_ins import Told

from dcm_helpers.ablate import main
from dcm_helpers.config import MODES
from dcm_helpers.errors import InputError
from dcm_helpers.inquiry import Study, StudyConfig
from dcm_helpers.remedies import tried
from dcm_helpers.remedies.tried import LEVELS, NONE, PLACEBO, REMEDIES, USUAL, own_distances, remedy_part
from dcm_helpers.remedies.worth import MEASURES, beside_none, in_words, use_of, worth
from dcm_helpers.study.questions import parts_of

LOSSES = dict(zip(LEVELS, (0.8, 0.3, 0.15, 0.03, 0.004), strict=True))


def made_up(better=(), losses=None, longer=None, pairs=24, noise=0.02):
    """A table in which remedies differ from none by noise alone, but for those that are better by known shares.

    What follows the loss does so whatever a remedy's is, and evaluations are those that none needs to get there; those
    that go on for longer have what follows the loss as if it had fallen, and the loss as it was.
    """
    random, rows = np.random.default_rng(0), []
    base = {measure: random.gamma(20, 0.01, pairs) for measure in MEASURES}
    for name in REMEDIES:
        for level in LEVELS if name == NONE else ("exact", USUAL):
            loss = (losses or {}).get(name, LOSSES[level])
            reached = (longer or {}).get(name, loss)
            values = {"loss": np.full(pairs, loss), "evaluations": np.full(pairs, 20 * reached**-0.3)}
            for measure, numbers in base.items():
                follows = 1 - np.log(reached) if measure.follows_loss else 1
                values[measure.column] = numbers * follows * np.exp(random.normal(0, noise, pairs))
            if name in dict(better):
                column, factor = dict(better)[name]
                values[column] = values[column] * factor
            values["exact"] = np.ones(pairs, dtype=bool)
            values["reach"] = 5 * values["radius"]
            rows.append(pd.DataFrame({"remedy": name, "level": level, "pair": range(pairs), **values}))
    return pd.concat(rows)


def answers(table):
    """What is said, without p."""
    return {each.answer.question: re.sub(r" \(p [^)]*\)", "", each.answer.answer) for each in worth(Told(table))}


def test_what_differs_is_told_and_nothing_else():
    better = (
        ("semantic", ("steps", 0.7)),
        ("noise", ("radius", 1.4)),
        ("travel", ("answer", 0.8)),
        ("mlp", ("distance", 1.3)),
    )
    said = answers(made_up(better))
    assert said["What is semantic=0.3 worth?"] == "could be a default; fewer steps"
    assert said["What is noise=0.05 worth?"] == "could be a default; bears more noise"
    assert said["What is travel=0.01 worth?"] == "could be a default; unseen answers likelier"
    assert said["What is mlp worth?"] == "of no use here; solutions of a pair farther"
    others = [
        answer for question, answer in said.items() if not any(f" {in_words(name)} " in question for name, _ in better)
    ]
    assert len(others) == len(REMEDIES) - 1 - len(better)
    assert sum(answer != "no difference shown" for answer in others) <= 1, "of 140 tests hardly one is told by chance"
    relations = next(each for each in worth(Told(made_up())) if "relations" in each.measured)
    assert not any(quantity.name.startswith("distance") for quantity in relations.control), "it asks for that itself"


def test_a_lower_loss_alone_is_no_merit():
    """What bears more noise because its loss is lower is compared with none at that loss."""
    said = answers(made_up(losses={"semantic": 0.1, "margin": 0.5}))
    assert said["What is semantic=0.3 worth?"] == said["What is margin=1 worth?"] == "no difference shown"


def test_going_on_for_longer_is_no_merit():
    """At equal loss it looks better than none, which it is not after equally many evaluations."""
    table = made_up(longer={"margin": 0.05})
    assert answers(table)["What is margin=1 worth?"] == "no difference shown"
    rows = {name: each for name, each in table.groupby("remedy")}
    radius = next(measure for measure in MEASURES if measure.column == "radius")
    at = beside_none(radius, rows["margin"], rows[NONE])
    assert at["radius", "loss"].low > 0.05 and abs(at["radius", "evaluations"].value) < 0.02
    assert at["reach", "loss"].value == pytest.approx(5 * at["radius", "loss"].value)
    assert len(at) == 6


def test_harm_that_is_not_ruled_out_makes_no_default():
    """With few pairs and much noise, what takes fewer steps may still be worse in something."""
    said = answers(made_up([("semantic", ("steps", 0.4))], pairs=12, noise=0.3))
    assert said["What is semantic=0.3 worth?"] == "an option; fewer steps"


def test_what_is_exact_less_often_is_no_default():
    table = made_up([("semantic", ("steps", 0.7))])
    failed = (table["remedy"] == "semantic") & (table["pair"] < 14)
    table.loc[failed, "exact"] = False
    table.loc[failed & (table["level"] == "exact"), "elsewhere"] = np.nan
    assert answers(table)["What is semantic=0.3 worth?"] == (
        "an option; fewer steps; exact less often; too few pairs for 3 of 8 measures"
    )


def test_what_is_better_and_worse_is_an_option():
    one, other = MEASURES[:2]
    cases = [((), (), ()), ([one], (), ()), ((), [other], ()), ([one], [other], ()), ([one], (), [other])]
    assert [use_of("semantic", *each) for each in cases] == [
        "no difference shown",
        "could be a default",
        "of no use here",
        "an option",
        "an option",
    ]


def test_what_other_starts_alone_change_tells_nothing_of_a_remedy():
    """The same difference counts unless the placebo shows one too; a default is then not to be had either."""
    noise = ("noise", ("radius", 1.4))
    fewer = ("semantic", ("steps", 0.7))
    assert answers(made_up([noise, fewer]))["What is noise=0.05 worth?"] == "could be a default; bears more noise"
    said = answers(made_up([noise, fewer, (PLACEBO, ("radius", 0.7))]))
    assert said["What does another seed, a control, change?"] == "a difference; bears less noise"
    assert said["What is noise=0.05 worth?"] == "no difference shown"
    assert said["What is semantic=0.3 worth?"] == "an option; fewer steps"


def test_what_cannot_be_compared_is_not_tested():
    """At losses that none has for too few pairs nothing is tested, which is said and corrects nothing else."""
    table = made_up(losses={"temperature": 2.0})
    told = {each.answer.question: each.answer.answer for each in worth(Told(table))}
    assert told["What is temperature=0.25 worth?"] == "no difference shown; too few pairs for 5 of 8 measures"
    rows = {name: each for name, each in table.groupby("remedy")}
    clean = next(measure for measure in MEASURES if measure.column == "clean")
    assert clean.p(beside_none(clean, rows["temperature"], rows[NONE])) is None


@dataclasses.dataclass
class Found:
    problem: object
    content: torch.Tensor


@dataclasses.dataclass
class Asked:
    pair: str
    id: str = ""


def test_a_decode_is_clean_if_it_stops_and_does_not_repeat(tiny, monkeypatch):
    """Three draws of two contents: the share of both texts' decodes that are clean, content by content."""
    clean, endless, stuck, empty = (7, 8, 9, tiny.eos_id), (7, 8, 9, 10), (7,) * 30, (tiny.eos_id,)
    written = [[clean, clean], [clean, endless], [clean, stuck], [empty, clean], [empty, stuck], [endless, endless]]
    asked = []

    def decoded(generator, problems, contents):
        asked.append(contents)
        return written

    monkeypatch.setattr(tried, "decode_problems", decoded)
    contents = torch.randn(2, 8, tiny.width, generator=torch.Generator().manual_seed(0))
    shares = tried.clean_shares(tiny, [Found(Asked("a", "a"), contents[0]), Found(Asked("b", "b"), contents[1])])
    assert shares == pytest.approx([4 / 6, 1 / 6])
    steps = (asked[0].reshape(2, 3, 8, -1) - contents[:, None]).norm(dim=-1) / contents[:, None].norm(dim=-1)
    torch.testing.assert_close(steps, torch.full_like(steps, tried.STOPS_AT))


def test_what_an_unseen_paraphrase_costs_is_what_plain_forward_passes_say(tiny, pairs):
    """The last paraphrase alone counts; after mode and content minus after the mode alone, in nats a token."""
    pair = next(each for each in pairs if len(each.question_paraphrases) > 1 and each.answer_paraphrases)
    content = torch.randn(8, tiny.width, generator=torch.Generator().manual_seed(0))

    def plain(mode, text, slots):
        ids = torch.tensor(tiny.target_ids(text))
        read = torch.cat([tiny.embed(torch.tensor([tiny.mode_id(mode)])), slots, tiny.embed(ids[:-1])])
        logits = tiny.model(inputs_embeds=read[None]).logits[0, -len(ids) :]
        return torch.nn.functional.cross_entropy(logits, ids).item()

    found = tried.unseen(Told(generator=tiny, pairs={pair.id: pair}), [Found(Asked(pair.id), content)])
    for mode, kind in MODES.items():
        text = pair.paraphrases(kind)[-1]
        assert found[kind] == pytest.approx([plain(mode, text, content) - plain(mode, text, content[:0])], abs=1e-4)


def test_distances_within_pairs_are_told_over_those_between():
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
    assert len(parts) == 2 * len(REMEDIES) + 3 == len(parts_of(config))
    assert remedy_part("the mission's combination") == "confident-with-the-missions-combination"
    assert dict(parts[remedy_part("semantic")].optimizer.terms) == {"semantic": 0.3}
    assert parts[remedy_part("mlp")].optimizer.parameterization == "mlp"
    assert not parts[remedy_part(NONE)].optimizer.terms
    assert not any(name in {part.name for part in parts_of(StudyConfig())} for name in parts)
    some = StudyConfig(questions=("remedies",), remedies=("noise", "mlp"))
    names = (NONE, "noise", "mlp")
    levels = [
        *((name, level) for level in ("exact", USUAL) for name in names),
        *((NONE, level) for level in ("surer", "surest", "longest")),
    ]
    assert [part.name for part in parts_of(some)] == [remedy_part(*each) for each in levels]
    with pytest.raises(InputError, match="no remedy 'prayer'; expected some of: none, temperature"):
        parts_of(StudyConfig(questions=("remedies",), remedies=("prayer",)))


def test_an_ablation_from_end_to_end(tmp_path, monkeypatch):
    some = {name: REMEDIES[name] for name in (NONE, "noise", "projection")}
    monkeypatch.setattr(tried, "REMEDIES", some)
    arguments = ["--model", "tiny", "--device", "cpu", "--num-examples", "6", "--controls", "3", "--num-steps", "90"]
    assert main([*arguments, "--output-dir", str(tmp_path)]) == 0
    table = Study(tmp_path).table("remedies")
    assert len(table) == (3 * 2 + 3) * 3 and set(table["remedy"]) == set(some)
    whole = table[(table["level"] == USUAL) | (table["remedy"] == NONE)]
    assert table["elsewhere"].dropna().between(0, 1).all() and whole["radius"].between(0, 0.5).all()
    assert whole["clean"].between(0, 1).all() and (whole["distance"] > 0).all()
    means = table[table["remedy"] == NONE].groupby("level")["loss"].mean()
    assert means["exact"] >= means["confident"] >= means["surer"] >= means["surest"] >= means["longest"]
    oracle, subspace = (Study(tmp_path).table(name) for name in ("oracle", "subspace"))
    assert len(oracle) == 3 and (oracle[["distance", "null", "travel"]] > 0).all(axis=None)
    assert (oracle["distilled_diverges"] < oracle["written_diverges"]).all(), "it is what is asked for"
    assert len(subspace) == 3 * 2 * 3 and subspace["overlap"].between(0, 1).all()
    page = (tmp_path / "README.md").read_text()
    assert (
        page.startswith("# What remedies are worth") and "What is projection worth?" in page and "RELATED" not in page
    )
