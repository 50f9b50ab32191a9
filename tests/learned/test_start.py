"""Learning a start: what a round does, what is kept, and that later problems need fewer steps from it."""

import dataclasses
from threading import Event

import numpy as np
import pytest
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.learn_start import main
from dcm_helpers.learned import keep_start, kept_starts, rounds_of_learning
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import initial_content

CONFIG = OptimizerConfig(K=4, num_steps=150, start="shared", lr=0.1, stop_rule="exact")


def test_a_round_starts_all_where_the_one_before_ended_on_average(tiny, problems):
    """And what it comes to is that of problems solved one by one."""
    first, second = rounds_of_learning(tiny, problems[:4], CONFIG, 2)
    begun = initial_content(tiny, problems[0], 4, "shared", 0, 0)
    assert all(torch.equal(each.problem.initial, begun) for each in first.results)
    found = torch.stack([each.content for each in first.results if each.reconstructed])
    assert torch.equal(first.average, found.mean(0))
    assert all(torch.equal(each.problem.initial, first.average) for each in second.results)


def test_other_problems_take_fewer_steps_from_it(tiny, problems):
    *_, last = rounds_of_learning(tiny, problems[:6], CONFIG, 3)
    others = problems[6:12]
    config = dataclasses.replace(CONFIG, start="tokens", num_restarts=1)

    def steps(those):
        return np.mean([each.steps for each in ContentOptimizer(tiny, config).optimize(those)])

    learned = steps([dataclasses.replace(each, initial=last.average) for each in others])
    assert learned < 0.8 * steps(others)


def test_a_stop_ends_learning_and_nothing_learned_is_an_error(tiny, problems):
    stop = Event()
    stop.set()
    assert list(rounds_of_learning(tiny, problems[:2], CONFIG, 3, stop)) == []
    with pytest.raises(InputError, match="none of 2 problems is reconstructed in round 1 within 1 steps"):
        list(rounds_of_learning(tiny, problems[:2], dataclasses.replace(CONFIG, num_steps=1), 1))


def test_starts_are_kept_side_by_side(tmp_path):
    path, told = tmp_path / "some" / "starts.safetensors", {"pairs": "these"}
    assert kept_starts(path, told) == {}
    for K in (8, 2):
        keep_start(path, torch.full((K, 3), 1 / K), told)
    kept = kept_starts(path, told)
    assert sorted(kept) == [2, 8] and torch.allclose(kept[8].float(), torch.full((8, 3), 0.125))
    with pytest.raises(InputError, match=r"were learned from \{'pairs': 'these'\}; name another file"):
        keep_start(path, torch.zeros(4, 3), {"pairs": "those"})


def test_the_command_learns_what_a_file_lacks(tmp_path, capsys):
    path = tmp_path / "starts.safetensors"
    arguments = ["--model", "tiny", "--device", "cpu", "--dtype", "float32", "--rounds", "1", "--num-examples", "4"]
    arguments += ["--dataset", "pairs"]  # which it can write
    assert main([*arguments, "--K", "8", "--output", str(path)]) == 0
    assert "K=8, round 1: " in capsys.readouterr().out
    assert main([*arguments, "--K", "8", "--output", str(path)]) == 0
    assert "round" not in capsys.readouterr().out
    assert main([*arguments, "--K", "0", "--output", str(path)]) == 2
    assert "K is (0,); expected numbers of slots" in capsys.readouterr().err
