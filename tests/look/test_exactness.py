"""Exactness under other batches and decoders, and how far it is from breaking."""

import pytest
import torch

from dcm_helpers.look import exact_by_generate, exact_in_batches, losses_at, smallest_margins


@pytest.fixture(scope="module")
def found(example, tiny):
    """Problems with exact contents, and with the same contents handed to other problems."""
    solutions = [each for each in example.solutions if each.record["reconstructed"]]
    problems = [each.problem for each in solutions]
    contents = torch.stack([each.content for each in solutions])
    return tiny, problems, contents


@pytest.mark.parametrize("size", [1, 2, 100])
def test_exact_contents_are_exact_in_every_batch_and_exchanged_ones_in_none(found, size):
    generator, problems, contents = found
    for judge in (exact_in_batches, exact_by_generate):
        assert judge(generator, problems, contents, size) == [True] * len(problems)
        assert judge(generator, problems, contents.roll(1, 0), size) == [False] * len(problems)


def test_a_right_beginning_is_not_exact(found):
    """What goes on after the target, or ends before it, is another text."""
    generator, problems, contents = found
    longer = problems[0].views[0].target_ids
    shorter = (*longer[:-2], generator.eos_id)
    for target in (shorter, (*longer[:-1], 7, generator.eos_id)):
        view = problems[0].views[0].__class__(problems[0].views[0].mode, "", target, problems[0].views[0].mode_ids)
        other = problems[0].__class__("other", (view,))
        assert exact_by_generate(generator, [other], contents[:1], 4) == [False]


def test_margins_tell_exactness_and_are_those_of_the_logits(found):
    generator, problems, contents = found
    for each in (contents, contents.roll(1, 0)):
        margins = smallest_margins(generator, problems, each)
        exact = [
            bool(losses_at(generator, problem, content[None])["teacher_forced_exact"].iloc[0])
            for problem, content in zip(problems, each, strict=True)
        ]
        assert [margin > 0 for margin in margins] == exact
    problem, content = problems[0], contents[0]
    by_hand = []
    for view in problem.views:
        head = generator.embed(torch.tensor([*generator.bos_ids, *view.mode_ids]))
        read = generator.embed(torch.tensor(view.target_ids[:-1]))
        logits = generator.model(inputs_embeds=torch.cat([head, content, read])[None]).logits[
            0, -len(view.target_ids) :
        ]
        for row, target in zip(logits, view.target_ids, strict=True):
            by_hand.append((row[target] - torch.cat([row[:target], row[target + 1 :]]).max()).item())
    assert smallest_margins(generator, problems, contents)[0] == pytest.approx(min(by_hand), rel=1e-3)
