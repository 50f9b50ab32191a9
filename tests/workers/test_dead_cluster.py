"""A cluster that died is told in one line, whether it says so or says nothing any more."""

import threading
import time
from types import SimpleNamespace

import pytest

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError
from dcm_helpers.workers import fleet
from dcm_helpers.workers.places import places_of


def watched(monkeypatch, nodes):
    """A fleet that asks a cluster which answers as ``nodes`` does, ten times as often as it would."""
    ray = SimpleNamespace(nodes=nodes, shutdown=lambda: None)
    monkeypatch.setattr(fleet, "ray_or_a_word", lambda: ray)
    monkeypatch.setattr(fleet, "ASKED_EVERY", 0.05)
    monkeypatch.setattr(fleet, "UNANSWERED", 0.5)
    members = fleet.Fleet(places_of("localhost:0"), GeneratorConfig("tiny"))
    members.watch("mine")
    return members


def test_a_node_that_is_marked_dead_is_told(monkeypatch):
    answers = [[{"NodeID": "mine", "Alive": True}]] * 3 + [[{"NodeID": "mine", "Alive": False}]]
    members = watched(monkeypatch, lambda: answers.pop(0))
    members.check()
    time.sleep(0.4)
    with pytest.raises(InputError, match="Ray's process on this host died; what is done is kept"):
        members.check()


def test_a_head_that_does_not_answer_is_told(monkeypatch):
    members = watched(monkeypatch, threading.Event().wait)
    members.check()
    time.sleep(0.7)
    with pytest.raises(InputError, match="head does not answer"):
        members.check()


def test_a_cluster_that_lives_is_left_in_peace(monkeypatch):
    members = watched(monkeypatch, lambda: [{"NodeID": "other", "Alive": False}, {"NodeID": "mine", "Alive": True}])
    time.sleep(0.7)
    members.check()
    members.__exit__()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1", "127.0.0.1:99999", "no host:6379", "[::1]:1"])
def test_where_nothing_answers_ray_is_not_asked(address):
    with pytest.raises(InputError, match="nothing answers there"):
        fleet.answering(address)


def test_other_hosts_need_a_word_on_tokens(monkeypatch):
    monkeypatch.setattr(fleet, "ray_or_a_word", lambda: None)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(InputError, match="RAY_AUTH_MODE is not set"), fleet.Fleet(places_of("a:0"), GeneratorConfig()):
        pass
