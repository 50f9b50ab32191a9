"""Parts, samples and what pairs are compared with."""

from pathlib import Path

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
    open_study,
    others,
    sample_of,
    size_of,
)
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import joint_problems
from dcm_helpers.study.making import measure
from dcm_helpers.study.questions import parts_of, tables_of


def test_a_sample_takes_topics_in_turn_and_no_answer_twice(tiny, pairs):
    sample = sample_of(pairs, 24)
    assert len({pair.answer for pair in sample}) == 24
    assert {sum(pair.topic == topic.topic for pair in sample) for topic in sample} == {2}
    assert joint_problems(tiny, sample) == joint(24)(tiny, pairs)


def test_a_study_asks_what_it_names():
    some = StudyConfig(questions=("variety", "across"), far=False)
    assert {part.name for part in parts_of(some)} == {f"confident-alone-K{size}" for size in (1, 4, 8)}
    assert families(some) == ["base"] and set(family_parts(some)) == {"base", "restarts"}
    assert "far" in family_parts(StudyConfig()) and "far" in {part.name for part in parts_of(StudyConfig())}
    with pytest.raises(InputError, match="no question 'weather'; expected some of: success, landscape"):
        parts_of(StudyConfig(questions=("weather",)))


def test_committed_sizes_are_known_by_their_folders(tmp_path):
    assert size_of(tmp_path) == StudyConfig()
    for size in (StudyConfig(**size) for size in SIZES.values()):
        assert size_of(Path(size.output_dir)) == size
        names = {part.name for part in parts_of(size)}
        for table in tables_of(size):
            assert names.issuperset(table.needs), "what is replicated needs nothing that is not"


def test_parts_share_pairs_and_starts():
    """Of all parts that take true or exchanged pairs, equal problem ids mean equal starts."""
    config = StudyConfig()
    seeds = {(part.optimizer.seed, part.optimizer.init) for part in parts_of(config) if part.name != "norm-gaussian"}
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
