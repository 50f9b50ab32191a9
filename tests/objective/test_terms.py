"""Terms of the objective: by hand on small logits, their gradients, their sums over groups, and what no weight does."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from dcm_helpers import objective
from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator import token_rows
from dcm_helpers.look import losses_at
from dcm_helpers.objective import TERMS, Seen
from dcm_helpers.optimize import Attempt, ContentOptimizer, Measurement
from dcm_helpers.optimize.objective import added_terms, counted_loss, oracle_of
from dcm_helpers.stm import (
    Problem,
    View,
    joint_problems,
    lay_out,
    scored,
    target_logits,
    view_rows,
    views_apart,
    with_meanings,
    with_oracle,
)

ADDED = [name for name, term in TERMS.items() if term.kind == "added"]
COUNTED = [name for name, term in TERMS.items() if term.kind == "counted"]
ALL_STEPS = OptimizerConfig(K=4, num_steps=12, num_restarts=1, stop_rule="minimize", lr=0.1)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seen_by(generator, problems, contents, starts=None, group=slice(None)):
    """What terms are given of some rows of some problems."""
    rows = view_rows(generator, problems)[group]
    layout = lay_out(generator, rows, contents.shape[1])
    logits = target_logits(generator, layout, contents)
    meanings = F.normalize(drawn(len(contents), 5, seed=3), dim=1)
    oracle = drawn(logits.shape[1], logits.shape[1], seed=7).log_softmax(-1)[layout.targets]  # of every token alike
    return Seen(generator, layout, contents, contents.detach() if starts is None else starts, logits, meanings, oracle)


def by_hand(generator, ids, probabilities):
    """One row whose target has some ids, with given probabilities of the first tokens at each of its places."""
    view = View(None, "", tuple(ids))
    layout = lay_out(generator, view_rows(generator, [Problem("one", (view,))]), 1)
    logits = torch.full((len(ids), generator.vocabulary.shape[0]), -1e3, dtype=torch.float64)
    for place, those in enumerate(probabilities):
        for token, p in those.items():
            logits[place, token] = math.log(p)
    contents = torch.zeros(1, 1, generator.width, dtype=torch.float64)
    return Seen(generator, layout, contents, contents, logits)


def test_every_term_has_its_function_and_its_line():
    for name, term in TERMS.items():
        assert callable(getattr(objective, name)) and term.does and term.source and 0 < term.usual <= term.most


def test_endings_by_hand(tiny64):
    end = tiny64.eos_id
    seen = by_hand(
        tiny64,
        [5, 6, 5, end],
        [{5: 0.5, end: 0.5}, {6: 0.4, 5: 0.2, end: 0.4}, {5: 0.25, 6: 0.75}, {end: 0.1, 5: 0.5, 6: 0.4}],
    )
    assert objective.eos(seen).tolist() == pytest.approx([-math.log(0.1)])
    assert objective.length(seen).tolist() == pytest.approx([-(math.log(0.5) + math.log(0.6)) / 4], rel=1e-5)
    # at place 1 token 5 came before, at 2 token 6 (5 is due), at the end 5 and 6, each once
    wrong = -(math.log(1 - 0.2) + math.log(1 - 0.75) + math.log(1 - 0.5) + math.log(1 - 0.4))
    assert objective.unlikelihood(seen).tolist() == pytest.approx([wrong / 4], rel=1e-5)


def test_certain_mistakes_cost_something_finite(tiny64):
    end = tiny64.eos_id
    seen = by_hand(tiny64, [5, 6, end], [{end: 1.0}, {5: 1.0}, {5: 1.0}])
    logits = (seen.aligned / 1e3).requires_grad_()  # not quite certain, so that there is a slope to see
    for name in ("length", "unlikelihood"):
        assert 1 < getattr(objective, name)(seen).item() < 20
        (slope,) = torch.autograd.grad(
            getattr(objective, name)(dataclasses.replace(seen, aligned=logits)).sum(), logits
        )
        assert slope.abs().max() > 1e-3, "and they pull"


def test_counting_by_hand(tiny64):
    end = tiny64.eos_id
    seen = by_hand(tiny64, [5, 6, end], [{5: 0.9, 6: 0.1}, {6: 0.5, 5: 0.5}, {end: 0.2, 5: 0.8}])
    losses = -torch.tensor([0.9, 0.5, 0.2], dtype=torch.float64).log()
    at_half = [
        p**2 / sum(q**2 for q in those) for p, those in ((0.9, (0.9, 0.1)), (0.5, (0.5, 0.5)), (0.2, (0.2, 0.8)))
    ]
    assert objective.temperature(seen, losses, 0.5).tolist() == pytest.approx([-0.5 * math.log(p) for p in at_half])
    assert objective.temperature(seen, losses, 1.0).tolist() == pytest.approx(losses.tolist())
    assert seen.margins.tolist() == pytest.approx([math.log(9), 0, -math.log(4)])
    assert objective.margin(seen, losses, 1.0).tolist() == pytest.approx((losses * torch.tensor([0.1, 1, 1])).tolist())


def test_meanings_by_hand(tiny64):
    end = tiny64.eos_id
    table = tiny64.vocabulary
    certain = by_hand(tiny64, [5, 6, end], [{5: 1.0}, {6: 1.0}, {end: 1.0}])
    assert objective.semantic(certain).tolist() == pytest.approx([0], abs=1e-9)
    assert objective.semantic_text(certain).tolist() == pytest.approx([0], abs=1e-9)
    exchanged = by_hand(tiny64, [5, 6, end], [{6: 1.0}, {5: 1.0}, {end: 1.0}])
    cosine = F.cosine_similarity(table[5], table[6], dim=0).item()
    assert objective.semantic(exchanged).tolist() == pytest.approx([2 * (1 - cosine) / 3])
    assert objective.semantic_text(exchanged).tolist() == pytest.approx([0], abs=1e-9), "the order is no matter"


def test_the_oracle_by_hand(tiny64):
    end = tiny64.eos_id
    seen = by_hand(tiny64, [5, end], [{5: 0.5, 6: 0.5}, {end: 1.0}])
    losses = -seen.log_probabilities[torch.arange(2), torch.tensor([5, end])]
    told = by_hand(tiny64, [5, end], [{5: 0.9, 6: 0.1}, {end: 1.0}]).log_probabilities
    wanted = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    after = dataclasses.replace(seen, oracle=told)
    assert objective.oracle(after, losses, 1.0).tolist() == pytest.approx([wanted, 0])
    assert objective.oracle(after, losses, 0.25).tolist() == pytest.approx([0.75 * math.log(2) + 0.25 * wanted, 0])
    same = dataclasses.replace(seen, oracle=seen.log_probabilities)
    assert objective.oracle(same, losses, 1.0).tolist() == pytest.approx([0, 0], abs=1e-12)
    none = dataclasses.replace(seen, oracle=torch.zeros_like(told))
    assert torch.equal(objective.oracle(none, losses, 1.0), losses), "without an oracle tokens count as they do"


def test_the_oracle_reads_the_context(tiny64, pairs):
    """Against the Generator's own forward pass over the prompt and the answer as tokens."""
    (joint,) = joint_problems(tiny64, pairs[:1])
    question, answer = with_oracle(tiny64, joint, pairs[0]).views
    prompt = tiny64.prompt_ids(f"{pairs[0].context}\n\n{pairs[0].question}", "Answer")
    assert question.oracle_ids == () and answer.oracle_ids == prompt
    ids = torch.tensor([[*prompt, *answer.target_ids]])
    plain = tiny64.model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    torch.testing.assert_close(oracle_of(tiny64, answer), plain, rtol=1e-6, atol=1e-8)
    for context, message in (("", "has no context"), ("long " * 600, "tokens, which the term 'oracle' reads at once")):
        with pytest.raises(InputError, match=message):
            with_oracle(tiny64, joint, dataclasses.replace(pairs[0], context=context))


def test_places_by_hand(tiny64, problems):
    tokens = token_rows(tiny64, 6, torch.Generator().manual_seed(0)).view(2, 3, -1)
    moved = tokens.clone()
    moved[0, :, 0] += 1e-3  # far smaller than the distance between tokens
    seen = seen_by(tiny64, problems[:2], moved, tokens)
    assert objective.token_distance(seen).tolist() == pytest.approx([1e-3, 0], abs=1e-9)
    assert objective.travel(seen).tolist() == pytest.approx([1e-3, 0], abs=1e-9)
    assert objective.norm(seen).tolist() == pytest.approx(moved.norm(dim=2).mean(1).tolist())


def test_relations_are_those_of_texts(tiny64, problems):
    """0 where contents are as alike as their texts, whatever their norms; what is too alike is pushed apart."""
    contents = drawn(3, 1, tiny64.width).requires_grad_()
    seen = seen_by(tiny64, problems[:3], contents)
    texts = F.normalize(contents.detach()[:, 0], dim=1)
    assert objective.relations(dataclasses.replace(seen, meanings=texts)).tolist() == pytest.approx(
        [0, 0, 0], abs=1e-12
    )
    unlike = torch.eye(3, dtype=torch.float64)
    lost = objective.relations(dataclasses.replace(seen, meanings=unlike))
    cosines = texts @ texts.T - unlike
    assert lost.tolist() == pytest.approx((cosines.square().sum(1) / 2).tolist())


@pytest.mark.parametrize("name", ADDED)
def test_gradients_are_those_of_finite_differences(tiny64, problems, name):
    """In logits and in contents; the Generator between them computes some of its layers in single precision."""
    seen = seen_by(tiny64, problems[:2], drawn(2, 3, tiny64.width), drawn(2, 3, tiny64.width, seed=5))
    logits, contents = seen.aligned.detach(), seen.contents

    def value(moved_logits, moved_contents):
        found = getattr(objective, name)(dataclasses.replace(seen, aligned=moved_logits, contents=moved_contents))
        # of two contents that are compared each takes the other as it is: half of what changes if both move
        return found.sum() / (2 if name == "relations" and not moved_contents.requires_grad else 1)

    leaves = logits.clone().requires_grad_(), contents.clone().requires_grad_()
    gradients = torch.autograd.grad(value(*leaves), leaves, allow_unused=True, materialize_grads=True)
    steps = drawn(*logits.shape, seed=1) * 1e-5, drawn(*contents.shape, seed=2) * 1e-5
    forward, backward = (value(logits + sign * steps[0], contents + sign * steps[1]) for sign in (1, -1))
    along = sum((gradient * step).sum() for gradient, step in zip(gradients, steps, strict=True))
    assert along.item() == pytest.approx(((forward - backward) / 2).item(), rel=1e-6) and along != 0


@pytest.mark.parametrize("name", COUNTED)
def test_gradients_of_counted_losses_are_those_of_finite_differences(tiny64, problems, name):
    seen = seen_by(tiny64, problems[:2], drawn(2, 3, tiny64.width))
    config, logits = OptimizerConfig(terms=((name, 0.7),)), seen.aligned.detach()

    def value(moved):
        return counted_loss(config, dataclasses.replace(seen, aligned=moved), scored(moved, seen.layout)).sum()

    leaf = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(leaf), leaf)
    step = drawn(*logits.shape, seed=1) * 1e-5
    change = (value(logits + step) - value(logits - step)) / 2
    assert (gradient * step).sum().item() == pytest.approx(change.item(), rel=1e-6)


@pytest.mark.parametrize("name", ADDED)
def test_a_term_adds_up_over_groups(tiny64, problems, name):
    """However rows are grouped, every content counts each of its rows, or itself, once."""
    contents, starts = drawn(3, 3, tiny64.width), drawn(3, 3, tiny64.width, seed=5)
    function = getattr(objective, name)
    whole = function(seen_by(tiny64, problems[:3], contents, starts))
    for groups in ([slice(0, 1), slice(1, 6)], [slice(row, row + 1) for row in range(6)]):
        parts = [function(seen_by(tiny64, problems[:3], contents, starts, group)) for group in groups]
        torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize("name", ["semantic", "semantic_text", "eos", "length", "unlikelihood"])
def test_a_term_counts_views_as_cross_entropy_does(tiny64, problems, name):
    """A text that is to count more among its problem's counts more in what is said of texts."""
    contents = drawn(1, 3, tiny64.width)
    of_each = [seen_by(tiny64, problems[:1], contents, group=slice(row, row + 1)) for row in range(2)]
    both = dataclasses.replace(seen_by(tiny64, problems[:1], contents), pulls=[1.5, 0.5])
    first, second = (getattr(objective, name)(seen) for seen in of_each)
    torch.testing.assert_close(getattr(objective, name)(both), 1.5 * first + 0.5 * second)


@pytest.mark.parametrize("name", TERMS)
def test_a_term_without_weight_leaves_no_trace(tiny, problems, name):
    plain, off = (
        ContentOptimizer(tiny, dataclasses.replace(ALL_STEPS, terms=terms)).optimize(problems[:2])
        for terms in ((), ((name, 0.0),))
    )
    for one, other in zip(plain, off, strict=True):
        assert torch.equal(one.content, other.content) and one.history == other.history


@pytest.mark.parametrize("name", TERMS)
def test_a_term_changes_what_is_found_and_what_is_stored_has_its_loss(tiny64, pairs, problems, name):
    meaning = F.normalize(drawn(12, 5, seed=4), dim=1)
    asked = [
        dataclasses.replace(with_oracle(tiny64, each, pair), meaning=one)
        for each, pair, one in zip(problems[:2], pairs, meaning, strict=False)
    ]
    number = 5.0 if TERMS[name].kind == "heard" else TERMS[name].usual
    config = dataclasses.replace(ALL_STEPS, terms=((name, number),))
    found, plain = (ContentOptimizer(tiny64, each).optimize(asked) for each in (config, ALL_STEPS))
    for problem, one, other in zip(asked, found, plain, strict=True):
        assert not torch.equal(one.content, other.content)
        assert one.loss == pytest.approx(losses_at(tiny64, problem, one.content[None])["loss"].item(), rel=1e-6)


def test_what_a_term_compares_with_must_be_there(tiny64, problems):
    solver = ContentOptimizer(tiny64, dataclasses.replace(ALL_STEPS, terms=(("oracle", 1.0),)))
    question, answer = views_apart(problems[0])
    one_by_one = ContentOptimizer(tiny64, dataclasses.replace(solver.config, batch_size=1))
    steps = []
    with pytest.raises(InputError, match="brings no oracle"):
        list(one_by_one.iterate([question, answer], on_step=steps.append))
    assert not steps, "told before any work"
    plain = ContentOptimizer(tiny64, ALL_STEPS).optimize([question])
    assert torch.equal(solver.optimize([question])[0].content, plain[0].content), "a question has none"


def test_the_penalty_is_that_of_the_stored_content(tiny64, problems):
    config = dataclasses.replace(ALL_STEPS, terms=(("travel", 0.1), ("norm", 0.01)))
    (result,) = ContentOptimizer(tiny64, config).optimize(problems[:1])
    (start,) = ContentOptimizer(tiny64, dataclasses.replace(config, num_steps=1, lr=1e-12)).optimize(problems[:1])
    traveled = (result.content - start.content).norm(dim=1).mean()
    norm = result.content.norm(dim=1).mean()
    assert result.terms == pytest.approx({"travel": traveled.item(), "norm": norm.item()}, rel=1e-4)
    assert result.penalty == pytest.approx((0.1 * traveled + 0.01 * norm).item(), rel=1e-4)


def test_the_best_is_best_by_what_is_minimized(tiny64, problems):
    """As its tokens count and its views weigh, whatever plain cross-entropy says."""
    config = dataclasses.replace(ALL_STEPS, terms=(("temperature", 0.25),))
    question, answer = problems[0].views
    weighted = dataclasses.replace(problems[0], views=(question, dataclasses.replace(answer, weight=5.0)))
    attempt = Attempt(weighted, 0, config)
    loss = [Measurement(each, each, 0.5, 0.5, 0.5, False) for each in (1.0, 2.0)]
    assert attempt.measure(tuple(loss), counted=[3.0, 1.0]) and attempt.best.objective == pytest.approx((3 + 5) / 3)
    assert not attempt.measure(tuple(loss[:1] * 2), counted=[1.0, 2.0]), "a lower loss, and more to be minimized"
    assert attempt.best.loss == 3


def test_terms_that_contradict_are_named():
    with pytest.raises(InputError, match="norm is held; leave out the term 'norm'"):
        OptimizerConfig(terms={"norm": 0.1}, parameterization="held_norm")
    with pytest.raises(InputError, match="'relations' compares problems in flight; use a batch_size of 2"):
        OptimizerConfig(terms={"relations": 1.0}, batch_size=1)
    assert hash(OptimizerConfig(terms=[["semantic", 0.3]])) == hash(OptimizerConfig(terms={"semantic": 0.3}))


def test_plain_cross_entropy_stays_itself(tiny, problems):
    contents = token_rows(tiny, 6, torch.Generator().manual_seed(0)).view(2, 3, -1)
    seen = seen_by(tiny, problems[:2], contents)
    scores = scored(seen.aligned, seen.layout)
    assert not len(added_terms(OptimizerConfig(), seen))
    assert torch.equal(counted_loss(OptimizerConfig(), seen, scores), scores.loss)


@pytest.mark.parametrize("terms, message", [
    ((("nonsense", 1.0),), "no term 'nonsense'; expected some of: temperature, margin"),
    ((("semantic", -1.0),), "the term 'semantic' has the number -1; expected 0, which is off, or a number from 1e-06"),
    ((("semantic", math.nan),), "the term 'semantic' has the number nan"),
    ((("temperature", 1e-40),), "the term 'temperature' has the number 1e-40; .* from 0.01 to"),
    ((("scheduled_linear", 0.1),), "the term 'scheduled_linear' has the number 0.1; .* from 1 to"),
    ((("semantic", "0.3"),), "terms is .*; expected a number in its place"),
    (5, "terms is 5; expected names with numbers"),
    ((("semantic", 1.0), ("semantic", 2.0)), "the term 'semantic' is given 2 times"),
])  # fmt: skip
def test_terms_that_cannot_be_are_named(terms, message):
    with pytest.raises(InputError, match=message):
        OptimizerConfig(terms=terms)


def test_contents_whose_texts_are_alike_lie_together(tiny64, problems):
    """With the term, how alike contents are follows how alike their texts are; without it, it does not."""
    meanings = F.normalize(drawn(6, 4, seed=7), dim=1)
    asked = [dataclasses.replace(each, meaning=one) for each, one in zip(problems[:6], meanings, strict=True)]
    wanted = (meanings @ meanings.T)[~torch.eye(6, dtype=torch.bool)]
    found = {}
    for terms in ((), (("relations", 30.0),)):
        config = dataclasses.replace(ALL_STEPS, num_steps=60, terms=terms)
        contents = torch.stack([each.content for each in ContentOptimizer(tiny64, config).optimize(asked)])
        slots = F.normalize(contents.mean(1), dim=1)
        alike = (slots @ slots.T)[~torch.eye(6, dtype=torch.bool)]
        found[bool(terms)] = torch.corrcoef(torch.stack([alike, wanted]))[0, 1].item()
    assert found[True] > 0.9 > found[False]


def test_problems_that_are_compared_must_say_what_they_mean(tiny, problems):
    config = dataclasses.replace(ALL_STEPS, terms=(("relations", 1.0),))
    with pytest.raises(InputError, match="brings no embedding of its own; give problems theirs with dcm"):
        ContentOptimizer(tiny, config).optimize(problems[:1])
    rows = F.normalize(drawn(2, 3), dim=1).numpy()
    texts = []
    made = with_meanings(problems[:2], lambda asked: texts.extend(asked) or rows)
    assert texts[0] == f"{problems[0].views[0].target_text} {problems[0].views[1].target_text}"
    assert all(torch.equal(one.meaning, torch.from_numpy(row)) for one, row in zip(made, rows, strict=True))
