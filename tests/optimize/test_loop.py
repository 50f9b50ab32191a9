"""The one loop's contract: measured content is stored, problems are independent, finished ones stay, rules hold."""

import dataclasses
import time
from threading import Event

import pytest
import torch
from judges import generate, plain_nll, prefix_embeddings, same_bits, weights

from dcm_helpers.config import GeneratorConfig, OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator import load_generator
from dcm_helpers.optimize import ContentOptimizer, Measurement, StopReason
from dcm_helpers.optimize.attempt import Attempt, Best
from dcm_helpers.optimize.loop import _Record
from dcm_helpers.stm import Problem, View, decode_problems, initial_content, joint_problems

FAST = OptimizerConfig(K=8, lr=0.1, num_steps=300, num_restarts=2, batch_size=6)


def replace(**changes):
    return dataclasses.replace(FAST, **changes)


def assert_generate_agrees(generator, reconstructed):
    """Hugging Face's ``generate`` writes every view of these results exactly."""
    for result in reconstructed:
        for view in result.problem.views:
            prefix = prefix_embeddings(generator, view, result.content)
            assert generate(generator, prefix, len(view.target_ids) + 8) == view.target_ids


@pytest.fixture
def one_group(monkeypatch):
    """All rows of a step in one group: with so small a Generator a group costs the same however large it is."""
    monkeypatch.setattr("dcm_helpers.stm.layout.GROUP_OVERHEAD", 1)


@pytest.fixture(scope="module")
def results(tiny, problems):
    """Twelve joint problems, solved once under the rule `exact`."""
    before = weights(tiny)
    results = ContentOptimizer(tiny, replace(stop_rule="exact")).optimize(problems)
    assert same_bits(before, weights(tiny)), "the Generator's weights moved"
    return results


def test_reconstructs_most_pairs_and_generate_agrees(tiny, results):
    reconstructed = [result for result in results if result.reconstructed]
    assert len(reconstructed) >= 10
    assert_generate_agrees(tiny, reconstructed)


def test_a_bfloat16_generator_keeps_contents_in_float32(problems):
    """The precision of GPUs, here on a CPU: Adam's state and contents stay float32, and ``generate`` agrees."""
    rounded = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="bfloat16"))
    before = weights(rounded)
    results = ContentOptimizer(rounded, replace(num_restarts=1)).optimize(problems[:4])
    assert same_bits(before, weights(rounded))
    assert all(result.content.dtype is torch.float32 for result in results)
    reconstructed = [result for result in results if result.reconstructed]
    assert len(reconstructed) >= 3
    assert_generate_agrees(rounded, reconstructed)


def test_results_come_in_the_order_of_the_problems(problems, results):
    assert [result.problem.id for result in results] == [problem.id for problem in problems]


def test_stored_content_reevaluates_to_its_stored_loss(tiny64, pairs, one_group):
    """Catches a content stored one step late: Adam at lr 0.1 changes the loss by far more than the tolerance."""
    problems = joint_problems(tiny64, pairs[:4])
    for rule in ("exact", "confident", "minimize"):
        config = replace(stop_rule=rule, num_steps=120, num_restarts=1)
        for result in ContentOptimizer(tiny64, config).optimize(problems):
            for view in result.views:
                nll = plain_nll(tiny64, view.view, result.content)
                assert nll.mean().item() == pytest.approx(view.measured.loss, abs=1e-9)
                assert nll[:-1].mean().item() == pytest.approx(view.measured.loss_text, abs=1e-9)
                assert (-nll[-1]).exp().item() == pytest.approx(view.measured.p_eos, abs=1e-9)
                assert (-nll.max()).exp().item() == pytest.approx(view.measured.min_p, abs=1e-9)


@pytest.mark.parametrize(("weighting", "beta2"), [("view", 0.999), ("token", 0.9)])
def test_trajectories_are_those_of_plain_adam_on_one_problem(tiny64, pairs, weighting, beta2):
    """Against torch's own Adam, one problem, two separate unpadded forward passes a step."""
    (problem,) = joint_problems(tiny64, pairs[:1])
    config = replace(num_steps=12, num_restarts=1, schedule="cosine", grad_clip=0.5, weighting=weighting, beta2=beta2)
    (result,) = ContentOptimizer(tiny64, config).optimize([problem])
    content = initial_content(tiny64, problem, config.K, config.start, config.seed, 0).requires_grad_()
    adam = torch.optim.Adam([content], lr=config.lr, betas=(0.9, beta2))
    tokens = [len(view.target_ids) for view in problem.views]
    weights = {"view": [1, 1], "token": [2 * count / sum(tokens) for count in tokens]}[weighting]
    for step, losses in result.history:
        expected = [plain_nll(tiny64, view, content).mean() for view in problem.views]
        # norms are rounded to float32 inside, so that two right formulas of one loss part by 3e-7 within 12 steps
        assert [loss.item() for loss in expected] == pytest.approx(losses, abs=1e-6), f"step {step}"
        adam.zero_grad()
        sum(weight * loss for weight, loss in zip(weights, expected, strict=True)).backward()
        content.grad *= min(1.0, config.grad_clip / content.grad.norm().item())
        adam.param_groups[0]["lr"] = config.lr_at(step)
        adam.step()
    assert len(result.history) == 13


def test_neighbors_do_not_matter(tiny64, pairs):
    """The whole trajectory of a problem is the same alone and in a batch whose members come and go."""
    problems = joint_problems(tiny64, pairs[:6])
    config = replace(stop_rule="exact", num_steps=60, num_restarts=1, batch_size=3, grad_clip=0.5)
    together = ContentOptimizer(tiny64, config).optimize(problems)
    assert len({result.steps for result in together}) > 1, "all ended at once: nothing was refilled"
    for problem, result in zip(problems, together, strict=True):
        (alone,) = ContentOptimizer(tiny64, config).optimize([problem])
        assert [step for step, _ in alone.history] == [step for step, _ in result.history]
        for (_, one), (_, other) in zip(alone.history, result.history, strict=True):
            assert one == pytest.approx(other, abs=1e-8)
        torch.testing.assert_close(alone.content, result.content, rtol=0, atol=1e-6)


def test_finished_problem_never_moves(tiny, problems, results):
    """The content handed out is the one of the moment it was finished, whatever ran after it."""
    config = replace(stop_rule="exact", batch_size=2)
    seen = [(result, result.content.clone()) for result in ContentOptimizer(tiny, config).iterate(problems[:5])]
    assert sorted(result.problem.id for result, _ in seen) == sorted(problem.id for problem in problems[:5])
    for result, content in seen:
        assert torch.equal(result.content, content)
        assert result.history[-1][0] == result.best_step == result.steps


def test_more_views_than_two_and_things_given(tiny):
    views = tuple(
        View.of(tiny, text, mode, given)
        for text, mode, given in (
            ("What is it?", "Q", ""),
            ("Tell me what it is.", "Q", "Say: "),
            ("carbon", "A", ""),
            ("the element carbon", None, ""),
        )
    )
    (result,) = ContentOptimizer(tiny, replace(K=16, num_steps=400)).optimize([Problem("class", views)])
    # the first two differ only in what is given after the same mode, so all four can be served
    assert result.reconstructed
    for view in views:
        assert generate(tiny, prefix_embeddings(tiny, view, result.content), 40) == view.target_ids


def test_stop_rules_are_what_they_say(tiny, problems, results, one_group):
    for rule in ("confident", "minimize"):
        stricter = ContentOptimizer(tiny, replace(stop_rule=rule)).optimize(problems[:4])
        solved = [pair for pair in zip(results, stricter, strict=False) if all(result.reconstructed for result in pair)]
        assert len(solved) >= 3
        for exact, result in solved:
            assert exact.stop_reason is StopReason.EXACT
            if exact.restart == result.restart:
                assert result.steps >= exact.steps and result.loss <= exact.loss
        if rule == "confident":
            assert all(result.stop_reason is StopReason.CONFIDENT for _, result in solved)
            assert all(view.measured.min_p >= 0.5 for _, result in solved for view in result.views)


def test_minimize_ends_when_the_loss_has_leveled_out(tiny, problems, results):
    """Started from a solution with a tiny lr, the loss cannot fall by 1 %: the rule ends after exactly 50 steps."""
    solved = next(result for result in results if result.reconstructed)
    problem = dataclasses.replace(solved.problem, initial=solved.content)
    (result,) = ContentOptimizer(tiny, replace(stop_rule="minimize", lr=1e-9)).optimize([problem])
    assert result.stop_reason is StopReason.MINIMIZED and result.steps == 50
    (moving,) = ContentOptimizer(tiny, replace(stop_rule="minimize", num_steps=60)).optimize([problem])
    assert moving.stop_reason is StopReason.STEPS_SPENT and moving.loss < 0.9 * solved.loss


def test_thresholds_tighten_a_rule(tiny, problems):
    config = replace(stop_rule="exact", eos_threshold=0.9, loss_threshold=0.05)
    for result in ContentOptimizer(tiny, config).optimize(problems[:3]):
        assert result.stop_reason is StopReason.EXACT
        assert all(view.measured.p_eos >= 0.9 and view.measured.loss <= 0.05 for view in result.views)


def test_restarts_follow_failures_only_and_keep_the_best(tiny, problems):
    config = replace(stop_rule="exact", num_steps=5, num_restarts=3)
    steps = []
    results = ContentOptimizer(tiny, config).optimize(
        problems[:4], on_step=lambda progress: steps.append(progress.work.updates)
    )
    for result in results:
        assert result.stop_reason is StopReason.STEPS_SPENT and not result.reconstructed
        assert result.restarts_tried == 3 and result.steps_total == 15 and result.steps == 5
        assert result.best_step <= 5
    assert steps[-1] == 4 * 15
    singles = [
        ContentOptimizer(tiny, dataclasses.replace(config, num_restarts=1)).optimize(
            [dataclasses.replace(problem, initial=initial_content(tiny, problem, 8, "tokens", 0, restart))]
        )[0]
        for problem in problems[:1]
        for restart in range(3)
    ]
    assert results[0].loss == pytest.approx(min(single.loss for single in singles), rel=1e-3)


def test_stalled_attempt_is_given_up(tiny, problems):
    (result,) = ContentOptimizer(tiny, replace(lr=1e-12, num_restarts=1)).optimize(problems[:1])
    assert result.stop_reason is StopReason.STALLED and result.steps == 200


def test_non_finite_loss_ends_the_restart_not_the_run(tiny, problems):
    poisoned = dataclasses.replace(problems[0], initial=torch.full((8, tiny.width), float("nan")))
    bad, good = ContentOptimizer(tiny, replace(stop_rule="exact")).optimize([poisoned, problems[1]])
    assert bad.stop_reason is StopReason.NON_FINITE and not bad.reconstructed
    assert bad.restarts_tried == 1, "from a given start, every restart goes the same way"
    assert good.reconstructed


def test_contradicted_content_goes_on_until_confident(tiny, problems, monkeypatch):
    """A near tie that the decoder breaks otherwise: the attempt continues with its Adam state."""
    honest, lies = decode_problems, []

    def lying_once(generator, asked, contents):
        decoded = honest(generator, asked, contents)
        for index, problem in enumerate(asked):
            if problem.id == problems[0].id and not lies:
                lies.append(contents[index].clone())
                decoded[index] = [(5,), (5,)]
        return decoded

    plain = ContentOptimizer(tiny, replace(stop_rule="exact")).optimize(problems[:1])[0]
    confident = ContentOptimizer(tiny, replace(stop_rule="confident")).optimize(problems[:1])[0]
    monkeypatch.setattr("dcm_helpers.optimize.loop.decode_problems", lying_once)
    (result,) = ContentOptimizer(tiny, replace(stop_rule="exact")).optimize(problems[:1])
    assert torch.equal(lies[0], plain.content)
    assert result.stop_reason is StopReason.CONFIDENT and result.reconstructed
    # nothing was lost on the way: it ends where an uninterrupted confident run ends
    assert result.steps == confident.steps and torch.equal(result.content, confident.content)


def test_what_the_decoder_denied_is_no_better_than_what_it_was_not_asked_about(problems):
    """Across restarts, too; and measured once more, the same content is denied still."""
    good, poor = (Measurement(loss, loss, 0.9, 0.9, 1.0, teacher_forced_exact=True) for loss in (0.1, 0.3))
    attempt = Attempt(problems[0], 0, replace(stop_rule="exact"))
    attempt.measure((good, good))
    attempt.contradicted()
    assert attempt.best.contradicted and attempt.reason is StopReason.UNCONFIRMED
    assert Best((poor, poor), 9).beats(attempt.best) and not attempt.best.beats(Best((poor, poor), 9))
    worst = Best((dataclasses.replace(poor, teacher_forced_exact=False),) * 2, 9)
    assert attempt.best.beats(worst), "among what is not exact, the loss decides"
    doubtful = dataclasses.replace(good, min_p=0.4)
    attempt = Attempt(problems[0], 0, replace(stop_rule="exact"))
    attempt.measure((doubtful, doubtful))
    attempt.contradicted()
    assert attempt.reason is None and not attempt.measure((doubtful, doubtful)) and attempt.best.contradicted


def test_content_that_is_never_confirmed_is_not_reconstructed(tiny, problems, monkeypatch):
    monkeypatch.setattr(
        "dcm_helpers.optimize.loop.decode_problems", lambda generator, asked, contents: [[(5,), (5,)] for _ in asked]
    )
    (result,) = ContentOptimizer(tiny, replace(stop_rule="exact")).optimize(problems[:1])
    assert result.stop_reason is StopReason.UNCONFIRMED and not result.reconstructed
    assert all(view.measured.teacher_forced_exact for view in result.views) and result.restarts_tried == 2


def test_stop_keeps_what_is_finished(tiny, problems):
    stop = Event()
    finished = []
    config = replace(stop_rule="exact", batch_size=2)
    for result in ContentOptimizer(tiny, config).iterate(problems, stop=stop):
        finished.append(result)
        stop.set()
    assert 1 <= len(finished) <= 3


def test_results_come_before_the_last_problem_has_ended(tiny, problems):
    """Even where all problems fit into a half-empty batch: what is handed out early, an interruption cannot lose."""
    running = []
    optimizer = ContentOptimizer(tiny, replace(stop_rule="exact", num_restarts=1, batch_size=64))
    left = []
    for _ in optimizer.iterate(problems, on_step=lambda progress: running.append(len(progress.in_flight))):
        left.append(running[-1])
    assert left[0] >= len(problems) // 2 and left == sorted(left, reverse=True)


def test_what_a_result_leads_to_is_begun_in_its_place(tiny, problems):
    """Each problem twice more from where its content was left, under the same id, before those that wait are begun."""
    config, begun, taken, in_flight = replace(stop_rule="exact", batch_size=2), [], [], []

    def then(result):
        assert taken[-1] is result, "taken before what it leads to can be refused"
        begun.append(result.problem.id)
        again = dataclasses.replace(result.problem, initial=result.content)
        return [again] if begun.count(result.problem.id) < 3 else []

    optimizer = ContentOptimizer(tiny, config)
    for result in optimizer.iterate(problems[:3], lambda p: in_flight.append(len(p.in_flight)), then=then):
        taken.append(result)
    assert max(in_flight) == 2
    assert {name: begun.count(name) for name in begun} == {problem.id: 3 for problem in problems[:3]}
    third = problems[2].id
    assert {problem.id for problem in problems[:2]} - set(begun[: begun.index(third)]) == set()
    assert min(begun[: begun.index(third)].count(name) for name in set(begun[: begun.index(third)])) >= 2
    last = {result.problem.id: result for result in taken}
    assert all(result.steps == 0 and result.reconstructed for result in last.values()), "exact where it begins"
    with pytest.raises(InputError, match="the window has 512"):
        long = dataclasses.replace(
            problems[0], views=(dataclasses.replace(problems[0].views[0], target_ids=(5,) * 600),)
        )
        list(optimizer.iterate(problems[:1], then=lambda _: [long]))
    with pytest.raises(InputError, match="being optimized already"):
        list(optimizer.iterate(problems[:4], then=lambda _: problems[3:4]))


def test_impossible_problems_are_refused_before_any_work(tiny, problems):
    with pytest.raises(InputError, match="the window has 512"):
        ContentOptimizer(tiny, replace(K=600)).optimize(problems)
    with pytest.raises(InputError, match="same id"):
        ContentOptimizer(tiny, FAST).optimize([problems[0], problems[0]])
    with pytest.raises(InputError, match="no views"):
        Problem("empty", ())


def test_the_first_steps_to_exact_is_where_the_rule_exact_would_end(tiny64, problems, one_group):
    """Equal starts and updates: `minimize` passes the same contents as `exact`, and goes on."""
    settings = OptimizerConfig(K=8, num_steps=150, num_restarts=1, lr=0.1)
    minimized = ContentOptimizer(tiny64, dataclasses.replace(settings, stop_rule="minimize")).optimize(problems[:3])
    exact = ContentOptimizer(tiny64, dataclasses.replace(settings, stop_rule="exact")).optimize(problems[:3])
    assert (
        [one.steps_to_exact for one in minimized]
        == [one.steps for one in exact]
        == [one.steps_to_exact for one in exact]
    )
    assert all(
        one.steps > one.steps_to_exact and one.loss < other.loss for one, other in zip(minimized, exact, strict=True)
    )


def test_many_restarts_of_one_problem_cost_the_same_each(problems):
    """What is known of a problem is kept up to date, not gone through again."""
    seconds = []
    for count in (500, 8000):
        record, started = _Record(), time.perf_counter()
        for restart in range(count):
            attempt = Attempt(problems[0], restart, OptimizerConfig(), step=2, state={"best": None})
            loss = abs(restart - count // 2)
            attempt.best = Best((Measurement(loss, loss, 0.0, 0.0, 0.0, False),), step=1)
            record.add(attempt)
        seconds.append((time.perf_counter() - started) / count)
        assert record.best.restart == count // 2 and (record.tried, record.steps) == (count, 2 * count)
    assert seconds[1] < 5 * seconds[0]
