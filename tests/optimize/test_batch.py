"""What keeps a step fast must not change it: groups, halving when memory is short, weights, compiled blocks."""

import dataclasses
import shutil
from collections import deque

import pytest
import torch
from judges import plain_nll

from dcm_helpers.config import GeneratorConfig, OptimizerConfig
from dcm_helpers.generator import load_generator
from dcm_helpers.optimize import Attempt, Batch, ContentOptimizer, automatic_size
from dcm_helpers.stm import (
    decode_problems,
    each_group,
    groups_by_length,
    joint_problems,
    target_logits,
    view_rows,
    view_weights,
)
from dcm_helpers.watch import Progress

CONFIG = OptimizerConfig(K=8, lr=0.1, num_steps=60, num_restarts=1, stop_rule="exact")


def measured(generator, problems, config):
    """A batch of problems, measured once."""
    batch = Batch(generator, config, len(problems))
    batch.admit(deque(Attempt(problem, 0, config) for problem in problems))
    batch.measure()
    return batch


def no_more_rows_than(limit, calls):
    """A ``target_logits`` of a device whose memory holds this many rows."""
    plenty = target_logits

    def scarce(generator, layout, contents):
        calls.append(len(layout.target_ids))
        if len(layout.target_ids) > limit:
            raise torch.OutOfMemoryError("out of memory")
        return plenty(generator, layout, contents)

    return scarce


@pytest.mark.parametrize("weighting", ["token", "view"])
def test_gradients_are_those_of_the_weighted_objective(tiny64, pairs, weighting):
    problems = joint_problems(tiny64, pairs[:3])
    batch = measured(tiny64, problems, dataclasses.replace(CONFIG, weighting=weighting))
    for slot, problem in enumerate(problems):
        content = batch.contents[slot].clone().requires_grad_()
        nll = [plain_nll(tiny64, view, content) for view in problem.views]
        tokens = sum(len(each) for each in nll)
        objective = {"view": sum(each.mean() for each in nll), "token": sum(each.sum() for each in nll) * 2 / tokens}
        objective[weighting].backward()
        torch.testing.assert_close(batch.gradient[slot], content.grad, rtol=1e-8, atol=1e-9)


def test_weights_follow_target_lengths(problems):
    for problem in problems:
        question, answer = (len(view.target_ids) for view in problem.views)
        weights = view_weights(problem, "token")
        assert sum(weights) == pytest.approx(2) and weights[0] * answer == pytest.approx(weights[1] * question)
        assert view_weights(problem, "view") == [1, 1]
        question, answer = problem.views
        weighted = dataclasses.replace(problem, views=(dataclasses.replace(question, weight=3.0), answer))
        assert view_weights(weighted, "view") == [1.5, 0.5]


def test_short_memory_changes_nothing_but_the_groups(tiny64, pairs, monkeypatch):
    problems = joint_problems(tiny64, pairs[:4])
    plenty = ContentOptimizer(tiny64, CONFIG).optimize(problems)
    calls = []
    monkeypatch.setattr("dcm_helpers.optimize.batch.target_logits", no_more_rows_than(2, calls))
    scarce = ContentOptimizer(tiny64, CONFIG).optimize(problems)
    assert max(calls) > 2 and any(result.reconstructed for result in scarce)
    for one, other in zip(plenty, scarce, strict=True):
        assert (one.steps, one.reconstructed) == (other.steps, other.reconstructed)
        torch.testing.assert_close(one.content, other.content, rtol=0, atol=1e-6)
    # halved for good: the large groups are not tried again at every step
    assert sum(rows > 2 for rows in calls) < len(calls) / 4


def test_memory_too_short_for_one_row_is_an_error(tiny, problems, monkeypatch):
    monkeypatch.setattr("dcm_helpers.optimize.batch.target_logits", no_more_rows_than(0, []))
    with pytest.raises(torch.OutOfMemoryError):
        ContentOptimizer(tiny, CONFIG).optimize(problems[:2])


def test_groups_are_halved_in_order():
    def compute(group):
        if len(group) > 3:
            raise torch.OutOfMemoryError
        return sum(group)

    groups = [group for group, _ in each_group([list(range(10)), [10]], compute)]
    assert [index for group in groups for index in group] == list(range(11)) and max(map(len, groups)) <= 3


def test_padding_stays_small_and_batches_fill_groups(smollm2, pairs):
    """On pairs of real lengths: below 10 % of the computed positions at the automatic batch size."""
    smollm2 = dataclasses.replace(smollm2, positions_at_once=512)  # whatever is fastest on this machine
    problems = joint_problems(smollm2, pairs)
    for K in (2, 8, 32):
        size = automatic_size(smollm2, problems, OptimizerConfig(K=K))
        assert size > 8
        rows = view_rows(smollm2, problems[:size])
        computed = 0
        for group in groups_by_length(rows, K, smollm2.positions_at_once):
            longest = max(rows[index].length(K) for index in group)
            computed += len(group) * longest
        assert sum(row.length(K) for row in rows) > 0.9 * computed


def test_what_couples_problems_has_as_many_in_flight_on_every_machine(tiny, problems):
    """Else a measured pace would be part of what is minimized."""
    config = OptimizerConfig(K=2, terms={"relations": 0.1})
    sizes = {automatic_size(dataclasses.replace(tiny, positions_at_once=n), problems, config) for n in (64, 8192)}
    assert len(sizes) == 1
    assert automatic_size(tiny, problems, OptimizerConfig(K=2)) not in sizes


def test_work_is_counted_and_slots_are_refilled_at_once(tiny, problems):
    seen = Progress()

    def remember(progress):
        nonlocal seen
        seen = progress

    config = dataclasses.replace(CONFIG, batch_size=3)
    results = ContentOptimizer(tiny, config).optimize(problems, on_step=remember)
    work = seen.work
    assert work.updates == sum(result.steps for result in results)
    assert work.evaluations == work.updates + len(results)
    assert work.places > 0 and work.busy_places == work.places
    rows = view_rows(tiny, problems)
    per_problem = [sum(row.length(8) for row in rows[2 * slot : 2 * slot + 2]) for slot in range(len(problems))]
    assert work.positions == sum(
        length * (result.steps + 1) for length, result in zip(per_problem, results, strict=True)
    )


def test_compiled_blocks_compute_the_same(tiny64, pairs, monkeypatch):
    """Gradients are equal up to the norms' float32 arithmetic, outcomes are equal; decoding and scoring stay as is."""
    if not any(map(shutil.which, ("g++", "clang++", "cl"))):
        pytest.skip("no C++ compiler here; torch.compile on a CPU needs one")
    # one group for each step: its rows are padded, so that a single graph is compiled, with the mask
    monkeypatch.setattr("dcm_helpers.stm.layout.GROUP_OVERHEAD", 1)
    problems = joint_problems(tiny64, pairs[:3])
    compiled = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float64", compile="always"))
    torch._dynamo.utils.counters.clear()
    gradient = measured(compiled, problems, CONFIG).gradient
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1, "nothing was compiled"
    torch.testing.assert_close(gradient, measured(tiny64, problems, CONFIG).gradient, rtol=1e-4, atol=1e-6)
    ours = ContentOptimizer(compiled, CONFIG).optimize(problems)
    plain = ContentOptimizer(tiny64, CONFIG).optimize(problems)
    assert [(one.steps, one.reconstructed) for one in ours] == [(one.steps, one.reconstructed) for one in plain]
    contents = torch.stack([result.content for result in ours])
    assert decode_problems(compiled, problems, contents) == decode_problems(tiny64, problems, contents)
