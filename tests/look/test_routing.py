"""What is written when other modes ask."""

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.look import written_with_modes
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.stm import Row, lay_out, with_modes


def test_the_other_views_mode_is_the_other_views_own_stm(tiny, problems):
    """So it writes that view's text by construction, and is no evidence of anything."""
    exchanged = with_modes(tiny, problems[0], ("A", "Q"))
    content = torch.randn(1, 4, tiny.width)
    first, second = (
        lay_out(tiny, [Row(Row.of(tiny, view, 0).head_ids, 0, (), ())], 4).embeddings(content)
        for view in (exchanged.views[0], problems[0].views[1])
    )
    assert torch.equal(first, second)


def test_a_decode_runs_far_enough_for_every_text_that_it_is_judged_by(tiny, problems):
    """A short answer's place can name a long question: with the mode exchanged it does, always."""
    some = sorted(problems, key=lambda each: len(each.views[0].target_ids) - len(each.views[1].target_ids))[-3:]
    assert all(len(each.views[0].target_ids) > len(each.views[1].target_ids) + 8 for each in some)
    results = list(ContentOptimizer(tiny, OptimizerConfig(K=8, lr=0.1, num_steps=300)).iterate(some))
    assert all(result.reconstructed for result in results)
    contents = torch.stack([result.content for result in results])
    found = written_with_modes(tiny, [result.problem for result in results], contents, {"exchanged": ("A", "Q")})
    assert (found["wrote"] == "other").all() and len(found) == 6
