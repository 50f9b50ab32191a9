"""Who gets which problems: none is lost, none is done twice, whoever dies; a slow worker holds nobody up."""

import heapq
import random

import pytest

from dcm_helpers.workers.share import DEADLY, Share

NAMES = [f"p{number}" for number in range(500)]


def test_a_lone_worker_gets_all():
    share = Share(NAMES)
    assert share.take("a", {"a": 1}) == NAMES and share.take("a", {"a": 1}) == []


def test_first_shares_follow_weights_and_shrink():
    share, weights = Share(NAMES, least=4), {"a": 100, "b": 50}
    sizes = [len(share.take(name, weights)) for name in "abab"]
    assert sizes == [167, 56, 92, 31] and share.waiting == 500 - sum(sizes)
    while chunk := share.take("a", weights):
        last = chunk
    assert len(last) <= 4


def simulate(speeds, deadly=(), seed=0, deaths=0.0):
    """Workers with a speed each that die at random, and at some problems always. Returns the share, results, hours."""
    draw, share = random.Random(seed), Share(NAMES)
    results: list[str] = []
    lives = dict.fromkeys(speeds, 10)
    events = [(0.0, name) for name in speeds]
    now = 0.0
    while events and not share.done:
        now, name = heapq.heappop(events)
        chunk = share.take(name, speeds)
        if not chunk:
            if share.waiting or any(share.given.values()):
                heapq.heappush(events, (now + 0.1, name))
            continue
        spent = 0.0
        for problem in chunk:
            spent += 1 / speeds[name]
            if problem in deadly or draw.random() < deaths:
                share.died(name, "killed")
                lives[name] -= 1
                break
            if share.finished(name, problem):
                results.append(problem)
        if lives[name]:
            heapq.heappush(events, (now + spent, name))
    return share, results, now


@pytest.mark.parametrize("seed", range(5))
def test_whoever_dies_every_problem_comes_once(seed):
    share, results, _ = simulate({"a": 3.0, "b": 1.0, "c": 1.0, "d": 0.2}, seed=seed, deaths=0.003)
    assert share.done and not share.set_aside
    assert sorted(results) == sorted(NAMES)


def test_a_problem_that_kills_workers_is_set_aside_and_the_rest_goes_on():
    share, results, _ = simulate({"a": 1.0, "b": 1.0, "c": 1.0}, deadly={"p7", "p400"})
    assert share.done and share.set_aside == {"p7": "killed", "p400": "killed"}
    assert sorted(results) == sorted(set(NAMES) - {"p7", "p400"})


def test_a_slow_worker_holds_nobody_up():
    """Its weight was guessed wrong by ten times: the whole takes little longer than if it had been known."""
    _, _, known = simulate({"a": 10.0, "b": 10.0, "c": 1.0})
    assert known < 1.15 * len(NAMES) / 21


def test_a_result_that_comes_after_its_worker_was_given_up_is_a_double():
    share = Share(["p"])
    share.take("a", {"a": 1, "b": 1})
    share.died("a", "silent")
    assert share.take("b", {"b": 1}) == ["p"]
    assert not share.finished("a", "p") and share.finished("b", "p") and share.done


def test_deaths_are_counted_problem_by_problem():
    share = Share(["p"])
    for _ in range(DEADLY):
        assert not share.done and share.take("a", {"a": 1}) == ["p"]
        share.died("a", "out of memory")
    assert share.done and share.set_aside == {"p": "out of memory"}
