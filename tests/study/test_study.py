"""Parts, samples and what pairs are compared with."""

import dataclasses
from functools import partial
from pathlib import Path
from threading import Event

import pandas as pd
import pytest

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.inquiry import (
    SIZES,
    Stopped,
    Study,
    StudyConfig,
    Table,
    families,
    family_parts,
    joint,
    keep_size,
    open_study,
    others,
    sample_of,
    size_of,
)
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.pairs import load_pairs
from dcm_helpers.stm import joint_problems
from dcm_helpers.study.making import make_part, of_other_texts
from dcm_helpers.study.measuring import measure
from dcm_helpers.study.questions import BY_NAME, QUESTIONS, parts_of, questions, tables_of


def test_a_sample_takes_topics_in_turn_and_no_answer_twice(tiny, pairs):
    sample = sample_of(pairs, 24)
    assert len({pair.answer for pair in sample}) == 24
    assert {sum(pair.topic == topic.topic for pair in sample) for topic in sample} == {2}
    assert joint_problems(tiny, sample) == joint(24)(tiny, pairs)


def test_a_study_asks_what_it_names():
    some = StudyConfig(questions=("variety", "across"), far=False)
    own = {f"confident-alone-K{size}" for size in (1, 4, 8)}
    assert {part.name for part in parts_of(some)} == {"base", "restarts", *own}, "variety looks at what others make"
    alone = StudyConfig(questions=("exactness",))
    assert {part.name for part in parts_of(alone)} == {"base", "exact-K8", "confident-K8"}
    assert [table.name for table in tables_of(alone)] == ["exactness"]
    slots = StudyConfig(questions=("capacity",))
    assert "surprisal" in {table.name for table in tables_of(slots)}, "a finding needs what another question measures"
    assert families(some) == ["base"] and set(family_parts(some)) == {"base", "restarts"}
    assert "far" in family_parts(StudyConfig()) and "far" in {part.name for part in parts_of(StudyConfig())}
    with pytest.raises(InputError, match="no question 'weather'; expected some of: success, landscape"):
        parts_of(StudyConfig(questions=("weather",)))


def test_committed_sizes_are_known_by_their_folders(tmp_path):
    assert size_of(tmp_path) == StudyConfig(output_dir=str(tmp_path))
    for size in (StudyConfig(**size) for size in SIZES.values()):
        if Path(size.output_dir).is_dir():
            assert size_of(Path(size.output_dir)) == size
        names = {part.name for part in parts_of(size)}
        for table in tables_of(size):
            assert names.issuperset(table.needs), "what is replicated needs nothing that is not"


def test_every_question_alone_has_all_that_it_needs():
    everything = {part.name for part in parts_of(StudyConfig())}
    for name in QUESTIONS:
        asked = StudyConfig(questions=(name,))
        parts, tables = ({each.name for each in those} for those in (parts_of(asked), tables_of(asked)))
        needs = {need for table in tables_of(asked) for need in table.needs}
        needs |= {need for these, _ in questions(asked)[name].findings for need in these}
        assert needs <= parts | tables, name
        assert name in BY_NAME or parts <= everything


def test_a_folder_says_what_size_its_study_has(tmp_path):
    config = StudyConfig(model="tiny", num_examples=8, alone=(4, 8), questions=("across",), output_dir=str(tmp_path))
    keep_size(config)
    assert open_study(str(tmp_path)).config == config
    asked = keep_size(dataclasses.replace(config, questions=("sharing",), remedies=("noise",)))
    assert asked.questions == ("sharing",), "others are not asked again"
    assert open_study(str(tmp_path)).config.questions == ("across", "sharing"), "what it had it has still"
    keep_size(dataclasses.replace(config, questions=()))
    keep_size(config)
    assert open_study(str(tmp_path)).config.questions == (), "asked of a whole study, a question makes it no smaller"
    assert open_study(str(tmp_path)).config.remedies == (), "nor a remedy"
    some = dataclasses.replace(config, questions=("remedies",), output_dir=str(tmp_path / "ablation"))
    keep_size(dataclasses.replace(some, remedies=("mlp",)))
    assert keep_size(dataclasses.replace(some, remedies=("noise",))).remedies == ("mlp", "noise"), "one table has both"
    for text, message in (
        ("[1]", "no settings"),
        ('{"weather": 1}', "unknown settings: weather"),
        ('{"alone": [1.5]}', "study.json: alone is"),
        ('{"num_examples": "5"}', "expected a whole number"),
        ("{", "no JSON"),
    ):
        (tmp_path / "study.json").write_text(text)
        with pytest.raises(InputError, match=message):
            open_study(str(tmp_path))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_examples": "5"}, "num_examples is '5'; expected a whole number"),
        ({"dtype": "float8"}, "expected one of: 'float64'"),
        ({"alone": ()}, "alone is empty"),
        ({"capacities": (1.5,)}, "expected a whole number in its place"),
        ({"capacities": (0,)}, "expected numbers of slots, 1 or more"),
        ({"near_tokens": (-1.0,)}, "expected weights above 0"),
    ],
)
def test_a_size_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        StudyConfig(**wrong)


def test_a_table_is_measured_again_where_its_parts_or_its_size_changed(tmp_path, capsys):
    records, asked = {"one": [{"problem": "a"}]}, []

    class Grown(Study):
        def complete(self, part):
            return True

        def records(self, part):
            return records[part]

    table = Table("counted", lambda study: asked.append(1) or pd.DataFrame({"n": [len(asked)]}), ["one"], ("few",))
    for few, made in ((8, 1), (8, 1), (9, 2)):
        study = Grown(tmp_path, config=StudyConfig(few=few))
        measure(study, table)
        assert study.table("counted")["n"].item() == made
    records["one"].append({"problem": "b"})
    measure(study, table)
    assert len(asked) == 3 and capsys.readouterr().err.count("what it was measured on has changed") == 2
    (tmp_path / "measured" / "on.json").write_text("[]")
    with pytest.raises(InputError, match=r"on.json is damaged; delete it; tables are measured again"):
        measure(study, table)


def test_of_a_table_in_pieces_a_stop_loses_no_more_than_one(tmp_path):
    """What was measured on something else is measured again, and nothing is left of the pieces in the end."""
    asked = []

    def pieces(study):
        def piece(number):
            asked.append(number)
            if len(asked) == 2:
                study.stop.set()
            return pd.DataFrame({"number": [number], "share": [number / 3], "none": [None]})

        return {f"piece {number}": partial(piece, number) for number in range(3)}

    table = Table("pieces", pieces, [], ("few",))
    with pytest.raises(Stopped):
        measure(Study(tmp_path, config=StudyConfig(few=8)), table)
    assert asked == [0, 1] and not (tmp_path / "measured" / "pieces.jsonl").exists()
    study = Study(tmp_path, config=StudyConfig(few=8))
    measure(study, table)
    assert asked == [0, 1, 1, 2], "the first is there, and what the stop cut short is measured once more"
    assert (
        study.table("pieces")["share"].tolist() == [0, 0.333333, 0.666667]
        and study.table("pieces")["none"].isna().all()
    )
    assert not list((tmp_path / "measured").glob("*unfinished*"))
    asked.clear()
    with pytest.raises(Stopped):
        measure(Study(tmp_path, config=StudyConfig(few=9)), table)
    asked.extend([0, 0])
    measure(Study(tmp_path, config=StudyConfig(few=10)), table)
    assert asked[-3:] == [0, 1, 2], "a piece that was measured on something else is none"
    (tmp_path / "measured" / "pieces.unfinished.json").write_text("[]")
    with pytest.raises(InputError, match="is damaged; delete it; its pieces are measured again"):
        measure(Study(tmp_path, config=StudyConfig(few=11)), table)


def test_a_part_has_its_pairs_alone_with_baselines_too(tmp_path, tiny):
    """A base that takes a few pairs of the sample: it once ran them all."""
    config = StudyConfig(model="tiny", device="cpu", num_examples=6, base=2, num_steps=2, output_dir=str(tmp_path))
    base = parts_of(config)[0]
    make_part(base, config, tiny, ContentOptimizer, Event())
    study = open_study(str(tmp_path))
    wanted = {problem.id for problem in base.problems(tiny, load_pairs(base.data(config)).pairs)}
    assert study.complete("base") and {record["problem"] for record in study.records("base")} == wanted
    assert len(wanted) == 2 and all(view["baselines"] for record in study.records("base") for view in record["views"])


def test_a_part_that_grows_does_again_what_it_has_of_other_texts(tmp_path, tiny):
    """With more pairs answers are exchanged within other blocks; texts that stay as they were are not touched."""
    part, kept = "long-others-K1", {}
    for count in (4, 8):
        config = StudyConfig(model="tiny", device="cpu", limit=count, num_steps=2, output_dir=str(tmp_path))
        (grown,) = (each for each in parts_of(config) if each.name == part)
        make_part(grown, config, tiny, ContentOptimizer, Event())
        study = Study(tmp_path)
        assert study.complete(part)
        asked = {each.id: each for each in grown.problems(tiny, load_pairs(grown.data(config)).pairs)}
        found = {record["problem"]: record for record in study.records(part)}
        assert found.keys() == asked.keys() and not of_other_texts(found.values(), asked.values())
        same = {name for name in kept if kept[name]["views"][1]["target_ids"] == found[name]["views"][1]["target_ids"]}
        assert all(kept[name] == found[name] for name in same)
        assert count == 4 or kept.keys() - same, "some answers were exchanged with others"
        kept = found


def test_what_makes_more_of_a_study_is_said_for_that_study(tmp_path):
    assert open_study("reference").command == "python -m dcm_helpers.reference"
    assert open_study("replication").command.endswith("reference --preset replication")
    with pytest.raises(InputError, match=f"reference --output-dir {tmp_path} --parts base"):
        Study(tmp_path).folder("base")


def test_parts_share_pairs_and_starts():
    """Of all parts that take true or exchanged pairs, equal problem ids mean equal starts."""
    config = StudyConfig()
    seeds = {(part.optimizer.seed, part.optimizer.start) for part in parts_of(config) if part.name != "norm-gaussian"}
    assert len(seeds) == 1
    assert len({part.name for part in parts_of(config)}) == len(parts_of(config))
    rules = {part.name: part.optimizer.stop_rule for part in parts_of(config)}  # a name tells the rule
    named = {name: name.split("-")[0] if name.startswith(("exact-", "confident-")) else "minimize" for name in rules}
    assert rules == named


def test_exchanged_answers_are_of_the_type_and_length(tiny, pairs):
    """Every question meets several answers of others, so that its own difficulty and theirs can be told apart."""
    true, kinds = joint(None)(tiny, pairs), {pair.id: pair.question_type for pair in pairs}
    made = [others(joint(97), number + 1)(tiny, pairs) for number in range(StudyConfig().exchanges)]
    own = {problem.pair: problem.view("answer").target_ids for problem in true}
    asker = {own[pair.id]: pair.id for pair in sample_of(pairs, 97)}
    for exchange in made:
        given = [problem.view("answer").target_ids for problem in exchange]
        assert sorted(given) == sorted(asker), "every answer once"
        assert all(own[problem.pair] != answer for problem, answer in zip(exchange, given, strict=True))
        same = [kinds[problem.pair] == kinds[asker[answer]] for problem, answer in zip(exchange, given, strict=True)]
        assert sum(same) >= 95, "answers come from questions of the same type"
        longer = [abs(len(own[p.pair]) - len(answer)) for p, answer in zip(exchange, given, strict=True)]
        assert sum(longer) / len(longer) < 4
    met = {(p.pair, p.view("answer").target_ids) for exchange in made for p in exchange}
    assert len(met) == StudyConfig().exchanges * 97, "no question meets an answer twice"


def test_committed_studies_open_by_name(tmp_path, monkeypatch):
    assert open_study("replication").path == Path(SIZES["replication"]["output_dir"])
    monkeypatch.delenv("DCM_REFERENCE", raising=False)
    assert open_study().path == open_study("reference").path == Path(StudyConfig().output_dir)
    monkeypatch.setenv("DCM_REFERENCE", str(tmp_path))
    assert open_study().path == tmp_path and open_study("replication").config.model == "gemma3-270m"
    with pytest.raises(InputError, match="no study in"):
        open_study(str(tmp_path / "nothing"))


def test_what_is_measured_can_be_stopped(tmp_path, tiny, problems):
    """Nothing of an unfinished table is kept, and a stop in the middle of it is no error of the study."""
    study = Study(tmp_path, tiny, ContentOptimizer)
    short = OptimizerConfig(K=4, num_steps=2, num_restarts=1)
    assert len(list(study.solve(short, problems[:2]))) == 2

    def measured(study):
        study.stop.set()
        return pd.DataFrame(list(study.solve(short, problems[:2])))

    with pytest.raises(Stopped):
        measure(study, Table("stopped", measured, []))
    assert not study.has_table("stopped")
