"""What is stored of a finished problem, as plain dictionaries (`results/README.md` tells each field)."""

from collections.abc import Callable, Sequence

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import Result, ViewResult
from dcm_helpers.pairs import Pair
from dcm_helpers.runs.verdicts import converged_by
from dcm_helpers.stm import Problem, View, contains_answer, degeneration, exact_match, f1, repeated_share


def result_record(generator: Generator, result: Result, stage: int, config: OptimizerConfig) -> dict:
    """A finished problem without its content; losses in nats per token."""
    return {
        "problem": result.problem.id,
        "pair": result.problem.pair,
        "kind": result.problem.kind,
        "problem_restart": result.problem.restart,
        "variant": result.problem.variant,
        "stage": stage,
        "seed": config.seed,
        "K": config.K,
        "stop_rule": config.stop_rule,
        "stop_reason": result.stop_reason.value,
        "steps": result.steps,
        "best_step": result.best_step,
        "steps_to_exact": result.steps_to_exact,
        "restart": result.restart,
        "restarts_tried": result.restarts_tried,
        "steps_total": result.steps_total,
        "seconds": result.seconds,
        "loss": result.loss,
        "penalty": result.penalty,
        **({"terms": dict(result.terms)} if result.terms else {}),
        "reconstructed": result.reconstructed,
        "converged": None,
        "views": [view_record(generator, view) for view in result.views],
    }


def view_record(generator: Generator, result: ViewResult) -> dict:
    """One view of a finished problem."""
    view, measured = result.view, result.measured
    return {
        "mode": view.mode,
        "kind": view.kind,
        "given_text": view.given_text,
        "target_text": view.target_text,
        "target_ids": view.target_ids,
        "loss": measured.loss,
        "loss_text": measured.loss_text,
        "p_eos": measured.p_eos,
        "min_p": measured.min_p,
        "teacher_forced_exact": measured.teacher_forced_exact,
        "reconstructed": result.reconstructed,
        "decoded_text": generator.text(result.decoded_ids),
        "decoded_ids": result.decoded_ids,
        **({"weight": view.weight} if view.weight != 1 else {}),
    }


def with_baselines(record: dict, baselines: list[dict]) -> dict:
    """A record whose views carry their baselines, and with them the verdict on convergence."""
    views = [
        {**view, "baselines": of_view, "converged_by": converged_by(view["loss_text"], of_view)}
        for view, of_view in zip(record["views"], baselines, strict=True)
    ]
    return {**record, "converged": all(view["converged_by"] for view in views), "views": views}


def validation_record(
    generator: Generator,
    problem: Problem,
    pair: Pair,
    decoded: list[tuple[int, ...]],
    alike: Callable[[str, Sequence[str]], bool],
) -> dict:
    """What greedy decoding made of a joint problem: pass (every view right), partial, or fail.

    A view is right when it is exactly its target, EOS included. `partial` is one right view, or an answer view that
    contains the answer or a paraphrase of it, or says the same in other words.

    Args:     alike  whether a text says the same as one of others; asked only where it decides
    """
    views = [judged(generator, view, ids) for view, ids in zip(problem.views, decoded, strict=True)]
    right = [view["reconstructed"] for view in views]
    answers = (pair.answer, *pair.answer_paraphrases)
    written = [view["decoded_text"] for view in views if view["kind"] == "answer"]
    informed = any(contains_answer(text, answer) for text in written for answer in answers)
    if not any(right) and not informed:  # only then it makes a difference
        informed = any(alike(text, answers) for text in written)
    return {
        "problem": problem.id,
        "pair": problem.pair,
        "kind": problem.kind,
        "problem_restart": problem.restart,
        "variant": problem.variant,
        "stage": 3,
        "outcome": "pass" if all(right) else "partial" if any(right) or informed else "fail",
        "key_information": informed,
        "views": views,
    }


def judged(generator: Generator, view: View, decoded_ids: tuple[int, ...]) -> dict:
    """A decoded view beside its target."""
    text = generator.text(decoded_ids)
    return {
        "mode": view.mode,
        "kind": view.kind,
        "target_text": view.target_text,
        "decoded_text": text,
        "decoded_ids": decoded_ids,
        "reconstructed": view.is_written(decoded_ids),
        "exact_match": exact_match(text, view.target_text),
        "f1": f1(text, view.target_text),
        "clean_stop": bool(decoded_ids) and decoded_ids[-1] == generator.eos_id,
        "repeated_share": repeated_share(decoded_ids),
        "degeneration": degeneration(decoded_ids, generator.eos_id),
    }
