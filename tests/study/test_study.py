"""Parts, samples and what pairs are compared with."""

from dcm_helpers.config import StudyConfig
from dcm_helpers.stm import joint_problems, mismatched
from dcm_helpers.study.questions import parts_of
from dcm_helpers.study.sharing import exchanged
from dcm_helpers.study.study import joint, sample_of


def test_mismatched_neighbors_in_length_stay_about_as_long(tiny, pairs):
    true = joint(24)(tiny, pairs)
    exchange = exchanged(joint(24))(tiny, pairs)
    assert sorted(problem.id for problem in true) == sorted(problem.id for problem in exchange)
    own = {problem.id: problem.views for problem in true}
    changes = []
    for problem in exchange:
        question, answer = own[problem.id]
        assert problem.views[0] == question and problem.views[1].target_ids != answer.target_ids
        changes.append(abs(len(problem.views[1].target_ids) - len(answer.target_ids)))
    assert sorted(changes)[len(changes) // 2] <= 1, "most answers change places with one that is about as long"
    sample = sample_of(pairs, 24)
    assert len({pair.answer for pair in sample}) == 24 and {
        sum(p.topic == t.topic for p in sample) for t in sample
    } == {2}
    assert mismatched(true)[0].id == true[0].id and joint_problems(tiny, sample) == true


def test_parts_share_pairs_and_starts():
    """Of all parts that take true or exchanged pairs, equal problem ids mean equal starts."""
    config = StudyConfig()
    seeds = {(part.optimizer.seed, part.optimizer.init) for part in parts_of(config)}
    assert len(seeds) == 1
    assert len({part.name for part in parts_of(config)}) == len(parts_of(config))
    rules = {part.name: part.optimizer.stop_rule for part in parts_of(config)}  # a name tells the rule
    assert all(rule == ("exact" if name.startswith("exact-") else "minimize") for name, rule in rules.items())
