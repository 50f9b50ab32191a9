"""Where contents start."""

import dataclasses
import json

import pytest
import torch
from safetensors import safe_open

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.fetched import PACKAGED
from dcm_helpers.learned import keep_start
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import initial_content, joint_problems, start_hash
from dcm_helpers.stm.start import STARTS

EXACT = OptimizerConfig(K=8, lr=0.1, num_steps=150, stop_rule="exact")


def test_given_start_is_used(tiny, problems):
    """Started from a solution, a problem is solved without a step."""
    (solved,) = ContentOptimizer(tiny, EXACT).optimize(problems[:1])
    assert solved.reconstructed
    problem = dataclasses.replace(solved.problem, initial=solved.content)
    (again,) = ContentOptimizer(tiny, EXACT).optimize([problem])
    assert again.steps == 0 and torch.equal(again.content, solved.content)
    with pytest.raises(InputError, match="expected \\(K, D\\) = \\(8, 128\\)"):
        ContentOptimizer(tiny, EXACT).optimize([dataclasses.replace(problem, initial=torch.zeros(3, 128))])


def test_starts_depend_on_seed_problem_and_restart_alone(tiny, problems):
    def start(problem, seed, restart):
        return initial_content(tiny, problem, 8, "tokens", seed, restart)

    one, two = problems[:2]
    assert torch.equal(start(one, 0, 0), start(dataclasses.replace(one, views=two.views), 0, 0))
    for other in (start(two, 0, 0), start(one, 1, 0), start(one, 0, 1)):
        assert not torch.equal(start(one, 0, 0), other)


def test_a_shared_start_is_that_of_all_until_it_fails(tiny, problems):
    one, two = (initial_content(tiny, each, 8, "shared", 0, 0) for each in problems[:2])
    assert torch.equal(one, two) and not torch.equal(one, initial_content(tiny, problems[0], 8, "shared", 1, 0))
    again = initial_content(tiny, problems[0], 8, "shared", 0, 1)
    assert torch.equal(again, initial_content(tiny, problems[0], 8, "tokens", 0, 1)) and not torch.equal(again, one)


@pytest.fixture
def learned(tiny, tmp_path):
    """A file of learned starts of 2 and 4 slots."""
    path = tmp_path / "learned.safetensors"
    for K in (4, 2):
        keep_start(path, torch.full((K, tiny.width), 0.5 * K), {"generator": "tiny"})
    return path


def test_a_learned_start_is_that_of_all_until_it_fails(tiny, problems, learned):
    for problem in problems[:2]:
        start = initial_content(tiny, problem, 4, str(learned), 3, 0)
        assert torch.equal(start, torch.full((4, tiny.width), 2.0)) and start.dtype is torch.float32
    again = initial_content(tiny, problems[0], 4, str(learned), 3, 1)
    assert torch.equal(again, initial_content(tiny, problems[0], 4, "tokens", 3, 1))
    assert start_hash("tiny", "tokens", 4) is None
    assert len({start_hash("tiny", str(learned), K) for K in (2, 4)}) == 2


def test_starts_that_cannot_be_are_refused_by_name(tiny, problems, learned, tmp_path):
    def start(name, K=4):
        return initial_content(tiny, problems[0], K, name, 0, 0)

    with pytest.raises(InputError, match="no start 'token'; expected tokens, gaussian, shared, learned or a file"):
        start("token")
    with pytest.raises(InputError, match="starts of 2, 4 slots, none of 3"):
        start(str(learned), 3)
    with pytest.raises(InputError, match="no learned start ships for elsewhere"):
        start_hash("elsewhere", "learned", 4)
    (tmp_path / "text").write_text("no tensors")
    with pytest.raises(InputError, match="holds no learned starts"):
        start(str(tmp_path / "text"))
    keep_start(tmp_path / "narrow.safetensors", torch.zeros(4, 3), {})
    with pytest.raises(InputError, match="was learned for 3 coordinates a slot, and tiny reads 128"):
        start(str(tmp_path / "narrow.safetensors"))
    keep_start(tmp_path / "broken.safetensors", torch.full((4, 128), torch.nan), {})
    with pytest.raises(InputError, match="holds no content of 4 slots"):
        start(str(tmp_path / "broken.safetensors"))


@pytest.mark.parametrize("init", ["tokens", "gaussian"])
def test_starts_have_the_scale_of_embeddings(tiny, problems, init):
    table = tiny.embed(torch.arange(512))
    start = initial_content(tiny, problems[0], 64, init, 0, 0)
    assert start.std().item() == pytest.approx(table.std().item(), rel=0.15)
    is_token = (start[:, None] == table[None]).all(-1).any(-1)
    assert is_token.all() if init == "tokens" else not is_token.any()


def test_shipped_starts_save_steps(smollm2, pairs):
    """On pairs that they were not learned from, from one file that says what it was learned from."""
    files = sorted(STARTS.glob("*.safetensors"))
    assert {path.stem for path in files} <= set(PACKAGED)
    for path in files:
        with safe_open(path, "pt") as file:
            assert "training" in json.loads(file.metadata()["learned_from"])["pairs"]
    problems = joint_problems(smollm2, pairs[:4])
    settings = OptimizerConfig(K=8, num_steps=60, num_restarts=1, stop_rule="exact")
    steps = {}
    for start in ("tokens", "learned"):
        found = ContentOptimizer(smollm2, dataclasses.replace(settings, start=start)).optimize(problems)
        assert all(each.reconstructed for each in found)
        steps[start] = sum(each.steps for each in found)
    assert steps["learned"] < 0.8 * steps["tokens"]
