"""Parts, samples and what pairs are compared with."""

from dcm_helpers.config import StudyConfig
from dcm_helpers.controls.sharing import EXCHANGES, exchanged
from dcm_helpers.inquiry import joint, others, sample_of
from dcm_helpers.stm import joint_problems
from dcm_helpers.study.questions import parts_of


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
    assert joint_problems(tiny, sample) == true


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
    made = [others(joint(97), number + 1)(tiny, pairs) for number in range(EXCHANGES)]
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
    assert len(met) == EXCHANGES * 97, "no question meets an answer twice"
