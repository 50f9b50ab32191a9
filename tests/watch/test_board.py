"""The board says of every problem what is so, in HTML that no text can change; stopping is heard at once."""

import io
import re
import signal
import threading
from dataclasses import replace

import pytest

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.watch import Board, Progress, follow, stopping_on_interrupt
from dcm_helpers.watch.curves import drawing, round_steps

CONFIG = OptimizerConfig(K=8, num_steps=150, num_restarts=1, batch_size=3)


def cells(page):
    """States of the cells, in order."""
    return re.findall(r'data-state="(\w+)"', page)


def test_the_board_follows_the_optimizer(tiny, problems):
    """Cells leave 'waiting', turn to their end, and curves get longer; the last page says that all is done."""
    problems = problems[:6]
    board = Board("Six", [problem.id for problem in problems])
    assert cells(board.page()) == ["waiting"] * 6
    pages, shares = [], []

    def follow_it(progress):
        board.show(progress)
        pages.append(board.page())
        shares.append(progress.tokens_right)

    for result in ContentOptimizer(tiny, CONFIG).iterate(problems, follow_it):
        board.finished(result.problem.id, result.reconstructed, result)
    board.close()
    last = board.page()
    assert cells(pages[0]) == ["optimizing"] * 3 + ["waiting"] * 3
    states = ["reconstructed" if board.results[problem.id].reconstructed else "failed" for problem in problems]
    assert cells(last) == states
    assert pages[30].count("<polyline") == 6 and last.count("<polyline") == 12, "a curve for each view"
    assert "6 of 6 done" in last and 0 <= min(shares) < 0.9 < max(shares) <= 1
    assert "in flight" in pages[0] and "in flight" not in last


def test_what_had_ended_before_is_counted_but_not_as_pace(tiny, problems):
    board = Board("Rest", ["a", "b", "c", "d"], known={"a": True, "b": False})
    assert cells(board.page()) == ["reconstructed", "failed", "waiting", "waiting"]
    assert "2 of 4 done, 1 reconstructed" in board.account() and "left" not in board.account()
    board.finished("c", True)
    assert "left" in board.account()
    board.close()
    assert "stopped; what is done is kept" in board.account()


def test_texts_of_the_data_stay_texts(tiny, problems):
    hostile = "<script>alert(1)</script>\"'"
    board = Board(hostile, [hostile])
    page = board.page()
    assert "<script" not in page and "&lt;script&gt;" in page
    view = replace(problems[0].views[0], mode=hostile)
    assert "<script" not in drawing([(hostile, view.name, [(0, 2.0), (1, 1.0)])])


def test_curves_hold_what_was_measured():
    """Steps run from left to right, losses fall downwards on a logarithmic axis; what has no logarithm is left out."""
    svg = drawing([("p", "Q", [(0, 10.0), (50, 1.0), (100, 0.1)]), ("p", "A", [(0, 0.0), (1, float("nan"))])])
    (points,) = re.findall(r'points="([^"]+)"', svg)
    places = [tuple(map(float, point.split(","))) for point in points.split()]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert x1 - x0 == pytest.approx(x2 - x1) and y1 - y0 == pytest.approx(y2 - y1, abs=0.2) and y0 < y1 < y2
    assert drawing([]) == ""
    assert round_steps(57) == [0, 10, 20, 30, 40, 50] and round_steps(1) == [0, 1] and len(round_steps(800)) <= 9


def test_without_a_notebook_a_line_is_followed(tiny, problems, capsys):
    with follow("Line", ["a", "b", "c"], {"a": True}) as line:
        line.show(Progress())
        line.finished("b", False)
        assert line.n == 2
    assert "1 reconstructed" in capsys.readouterr().err


def test_stopping_in_the_middle_of_a_step_changes_nothing(tiny, problems, monkeypatch):
    """A stop between two groups of rows ends the call; nothing of the half step is told."""
    stop, seen = threading.Event(), []
    optimizer = ContentOptimizer(replace(tiny, positions_at_once=40), CONFIG)
    original = type(optimizer.generator).head_reads

    def stopping(self, reads):
        if len(seen) == 5:
            stop.set()
        return original(self, reads)

    monkeypatch.setattr(type(optimizer.generator), "head_reads", stopping)
    results = list(optimizer.iterate(problems[:3], lambda progress: seen.append(progress.work.evaluations), stop))
    assert results == [] and seen[-1] == seen[-2] == 15, "the sixth step was begun and not counted"


def test_signals_stop_gently_and_then_at_once(capsys):
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        stop.clear()
        with stopping_on_interrupt(stop):
            signal.raise_signal(number)
            assert stop.is_set()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
    assert {number: signal.getsignal(number) for number in before} == before
    assert "what is done is kept" in capsys.readouterr().err


def test_in_a_file_progress_is_lines(monkeypatch):
    """One when it begins, one every so often, one when it ends; nothing that only a terminal understands."""
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    monkeypatch.setattr("dcm_helpers.watch.line.LOG_SECONDS", 0)
    with follow("Three", ["a", "b", "c"]) as line:
        for name in "abc":
            line.show(Progress())
            line.finished(name, True)
    lines = log.getvalue().splitlines()
    assert "\r" not in log.getvalue() and len(lines) >= 4 and all(line.startswith("Three: ") for line in lines)
    assert lines[0].startswith("Three: 0/3") and lines[-1].startswith("Three: 3/3")
