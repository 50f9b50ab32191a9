"""Workers on Ray find what one process finds; killing them loses nothing and doubles nothing."""

import os
import signal
import sys
import threading
import time

import pytest
import torch

from dcm_helpers.config import GeneratorConfig, OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.watch import Board
from dcm_helpers.workers import Fleet, FleetSolver, places_of

CONFIG = OptimizerConfig(K=8, lr=0.1, num_steps=150, num_restarts=1, batch_size=2)
TINY = GeneratorConfig(model="tiny", device="cpu", dtype="float64")


@pytest.fixture(scope="module")
def fleet():
    """Two workers on this machine."""
    pytest.importorskip("ray", reason="Ray is part of the distributed extra")
    with Fleet(places_of("localhost:0:100,localhost:1:70"), TINY) as fleet:
        yield fleet


def test_two_workers_find_what_one_process_finds(fleet, tiny64, problems):
    alone = {result.problem.id: result for result in ContentOptimizer(tiny64, CONFIG).iterate(problems)}
    board, workers, states = Board("Twelve", [problem.id for problem in problems]), set(), set()

    def follow(progress):
        board.show(progress)
        states.update(board.states().values())
        workers.update(each.name for each in progress.workers if each.done)

    together = {each.problem.id: each for each in FleetSolver(fleet, tiny64, CONFIG).iterate(problems, follow)}
    assert together.keys() == alone.keys() and workers == {"localhost:0", "localhost:1"}
    assert 'data-worker="localhost:1"' in board.page() and "optimizing" in states
    for problem, result in alone.items():
        other = together[problem]
        assert (result.steps, result.stop_reason) == (other.steps, other.stop_reason)
        assert torch.allclose(result.content, other.content, rtol=1e-6, atol=1e-8), "float64, other batches"


def test_killing_a_worker_loses_nothing_and_doubles_nothing(fleet, tiny64, problems, capsys):
    killed = []

    def follow(progress):
        busy = [member for member in fleet.members if member.stream is not None and len(member.job) > 1]
        if not killed and progress.done >= 1 and busy:
            killed.append(fleet.ray.get(busy[0].actor.process.remote()))
            os.kill(killed[0], signal.SIGKILL)

    found = [result.problem.id for result in FleetSolver(fleet, tiny64, CONFIG).iterate(problems, follow)]
    assert killed and sorted(found) == sorted(problem.id for problem in problems)
    assert capsys.readouterr().err.count("died and is started again") == 1


def test_a_stop_is_heard_in_the_middle_of_a_job(fleet, tiny64, problems):
    stop, found, long = (
        threading.Event(),
        [],
        OptimizerConfig(K=8, num_steps=5000, stop_rule="minimize", num_restarts=1),
    )
    threading.Timer(2.0, stop.set).start()
    started = time.monotonic()
    found = list(FleetSolver(fleet, tiny64, long).iterate(problems, stop=stop))
    assert stop.is_set() and time.monotonic() - started < 10 and len(found) < len(problems)
    again = list(FleetSolver(fleet, tiny64, CONFIG).iterate(problems[:2]))
    assert len(again) == 2, "the workers go on with the next stage"


def test_a_fleet_goes_on_after_somebody_heard_enough(fleet, tiny64, problems):
    """As stage 2 does when its first pairs fail: what was asked for is dropped, and nothing of it is taken for new."""
    results = FleetSolver(fleet, tiny64, CONFIG).iterate(problems)
    assert next(results).problem.id in {problem.id for problem in problems}
    results.close()
    assert any(member.stream is not None for member in fleet.members), "there is something to be dropped"
    again = [result.problem.id for result in FleetSolver(fleet, tiny64, CONFIG).iterate(problems)]
    assert sorted(again) == sorted(problem.id for problem in problems)


def test_a_worker_that_neither_works_nor_dies_is_ended(fleet, tiny64, problems, monkeypatch, capsys):
    monkeypatch.setattr("dcm_helpers.workers.solver.SILENT", 6.0)
    halted = []

    def follow(progress):
        busy = [member for member in fleet.members if member.stream is not None and len(member.job) > 1]
        if not halted and busy:
            halted.append(fleet.ray.get(busy[0].actor.process.remote()))
            os.kill(halted[0], signal.SIGSTOP)

    found = [result.problem.id for result in FleetSolver(fleet, tiny64, CONFIG).iterate(problems, follow)]
    assert halted and sorted(found) == sorted(problem.id for problem in problems)
    assert "said nothing for" in capsys.readouterr().err


def test_no_host_of_that_name_is_told(fleet, monkeypatch):
    with (
        pytest.raises(InputError, match="'elsewhere', and there is no such host in the Ray cluster"),
        Fleet(places_of("elsewhere:0"), TINY),
    ):
        pass


def test_without_ray_one_line_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[distributed\]'"):
        Fleet(places_of("localhost:0"), TINY)
