"""Growing prefixes: against a solver of known capacity, and on the tests' Generator."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from stand_ins import Told, values_of

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.solutions.prefixes import beginning, how_much, longest_prefixes, passages
from dcm_helpers.stm import decode_problems, single_problems


class OfCapacity:
    """Writes a beginning exactly if it has at most so many tokens, and says where it was started from."""

    def __init__(self, results, capacity):
        self.results, self.capacity, self.starts = results, capacity, []

    def iterate(self, problems, then):
        waiting = list(problems)
        while waiting:
            problem = waiting.pop(0)
            self.starts.append(problem.initial)
            (view,) = problem.views
            written = view.target_ids if len(view.target_ids) <= self.capacity else ()
            result = replace(
                self.results[problem.id],
                problem=problem,
                content=torch.full_like(self.results[problem.id].content, len(view.target_ids)),
                views=(replace(self.results[problem.id].views[0], view=view, decoded_ids=(*written, 5, 6)),),
                steps_total=2,
            )
            yield result
            waiting += then(result)


@pytest.fixture(scope="module")
def texts(tiny, pairs):
    return [problem for problem in single_problems(tiny, pairs[:4]) if problem.kind == "question"]


@pytest.mark.parametrize("capacity", [0, 1, 3, 1000])
def test_a_known_capacity_is_found(tiny, texts, capacity):
    solver = ContentOptimizer(tiny, OptimizerConfig(K=1, num_steps=1, num_restarts=1))
    known = OfCapacity({result.problem.id: result for result in solver.optimize(texts)}, capacity)
    lengths = {text.id: len(text.views[0].target_ids) - 1 for text in texts}
    found = list(longest_prefixes(known.iterate, texts))
    assert sorted(each.problem.id for each in found) == sorted(lengths)
    for each in found:
        length = lengths[each.problem.id]
        (view,) = each.problem.views
        assert len(view.target_ids) == min(capacity, length), "EOS is never asked for"
        assert each.whole == (length <= capacity)
        assert each.steps == 2 * min(capacity + 1, length)
        if view.target_ids:
            assert (each.problem.initial == len(view.target_ids)).all(), "the content that wrote it"
    assert all(start is None for start in known.starts[: len(texts)])
    assert all(start is not None for start in known.starts[len(texts) :]), "a longer beginning starts from the shorter"


def test_what_is_held_is_written(tiny, pairs):
    text = passages(tiny, pairs)[0]
    solver = ContentOptimizer(tiny, OptimizerConfig(K=1, num_steps=40, num_restarts=1, stop_rule="exact", lr=0.1))
    (held,) = longest_prefixes(solver.iterate, [text])
    (view,) = held.problem.views
    assert 0 < len(view.target_ids) < len(text.views[0].target_ids) and view.target_ids[-1] != tiny.eos_id
    (((written,),),) = [decode_problems(tiny, [held.problem], held.problem.initial[None])]
    assert view.is_written(written) and len(written) > len(view.target_ids)
    longer = beginning(text.views[0], len(view.target_ids) + 1)
    assert not longer.is_written(written)


def test_only_a_beginning_may_be_followed_by_more(tiny, texts):
    (view,) = texts[0].views
    whole = view.target_ids
    assert view.is_written(whole) and not view.is_written((*whole[:-1], 5)) and not view.is_written(whole[:-1])
    part = beginning(view, 2)
    assert part.is_written(whole) and part.is_written(whole[:2]) and not part.is_written(whole[:1])
    assert not part.is_written((whole[1], whole[0], *whole[2:]))


def test_passages_that_ended_first_are_told_beside_the_mean():
    table = pd.DataFrame(
        {"tokens": [10, 20, 30, 40], "bits": 100.0, "gained": 90.0, "whole": [False, False, False, True]}
    )
    (found,) = how_much(Told(table.assign(steps=500)))
    known = values_of(found)
    assert known[""].value == 25 and known["passages that ended first:"].value == 0.25
    assert known["standard deviation"] == pytest.approx(np.std([10, 20, 30, 40], ddof=1))
    assert known["bits that the content saves of them"].value == 90
    assert found.answer.answer == "25 tokens on average" and "150 steps" in found.answer.rule
