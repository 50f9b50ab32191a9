"""Jobs and results as messages, and back."""

import base64
from dataclasses import asdict, dataclass

from safetensors import SafetensorError

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.forms import checked
from dcm_helpers.optimize import Measurement, Result, StopReason, ViewResult
from dcm_helpers.shapes import Content
from dcm_helpers.stm import Problem, View
from dcm_helpers.workers.messages import WAY_OUT, MeasuredForm, OptimizerForm, ProblemForm, ViewForm, message


@dataclass(frozen=True)
class Job:
    """Problems to be solved with some settings."""

    id: str
    config: OptimizerConfig
    problems: list[Problem]


def job_message(job: Job) -> dict:
    """A job as a message."""
    problems = []
    for problem in job.problems:
        views = [{**asdict(view), **{name: list(getattr(view, name)) for name in IDS}} for view in problem.views]
        fields = {name: getattr(problem, name) for name in ("id", "pair", "kind", "restart", "variant")}
        initial = {} if problem.initial is None else {"initial": packed(problem.initial)}
        problems.append({**fields, "views": views, **initial})
    optimizer = {**asdict(job.config), "terms": dict(job.config.terms)}
    return message("job", job=job.id, optimizer=optimizer, problems=problems)


IDS = ("mode_ids", "given_ids", "target_ids", "oracle_ids")


def job_of(value: dict) -> Job:
    """A job from its message.

    Raises:   InputError if its settings make no sense
    """
    settings = checked(value["optimizer"], OptimizerForm, f"job {value['job']!r}", WAY_OUT)
    config = OptimizerConfig(**{**settings, "terms": tuple(settings.get("terms", {}).items())})
    problems = []
    for fields in value["problems"]:
        views = [known(view, ViewForm) for view in fields["views"]]
        views = tuple(View(**{**view, **{name: tuple(view.get(name, ())) for name in IDS}}) for view in views)
        initial = unpacked(fields["initial"], f"initial of {fields['id']!r}") if "initial" in fields else None
        problems.append(Problem(**{**known(fields, ProblemForm), "views": views, "initial": initial}))
    return Job(value["job"], config, problems)


def result_message(job: str, result: Result) -> dict:
    """A finished problem as a message."""
    names = ("steps", "best_step", "steps_to_exact", "penalty", "restart", "restarts_tried", "steps_total", "seconds")
    return message(
        "result",
        job=job,
        problem=result.problem.id,
        stop_reason=result.stop_reason.value,
        **{name: getattr(result, name) for name in names},
        terms=dict(result.terms),
        history={"steps": [step for step, _ in result.history], "losses": [list(each) for _, each in result.history]},
        views=[{**asdict(view.measured), "decoded_ids": list(view.decoded_ids)} for view in result.views],
        content=packed(result.content),
    )


def result_of(value: dict, problem: Problem) -> Result:
    """A finished problem from its message.

    Raises:   InputError if the message does not fit the problem
    """
    require(
        len(value["views"]) == len(problem.views),
        f"the result of {problem.id!r} has {len(value['views'])} views; expected {len(problem.views)}",
    )
    curve = {name: value["history"][name] for name in ("steps", "losses")}
    views = []
    for view, fields in zip(problem.views, value["views"], strict=True):
        fields = known(fields, MeasuredForm)
        numbers = {name: number(entry) for name, entry in fields.items() if name != "decoded_ids"}
        views.append(ViewResult(view, Measurement(**numbers), tuple(fields["decoded_ids"])))
    return Result(
        problem=problem,
        content=unpacked(value["content"], f"the content of {problem.id!r}"),
        views=tuple(views),
        stop_reason=StopReason(value["stop_reason"]),
        history=tuple((step, tuple(map(number, losses))) for step, losses in zip(*curve.values(), strict=False)),
        penalty=number(value["penalty"]),
        terms={name: number(entry) for name, entry in value.get("terms", {}).items()},
        **{name: value[name] for name in ("steps", "best_step", "steps_to_exact", "restart", "restarts_tried")},
        **{name: value[name] for name in ("steps_total", "seconds")},
    )


def known(fields: dict, form: type) -> dict:
    """The fields that a form has; what a later version adds is let through, and not looked at."""
    return {name: fields[name] for name in form.__annotations__ if name in fields}


def number(value: float | None) -> float:
    """A number of a message, where null stands for what is none."""
    return float("nan") if value is None else value


def packed(content: Content) -> str:
    """A content as safetensors in base64."""
    from safetensors.torch import save

    return base64.b64encode(save({"content": content.detach().cpu().contiguous()})).decode()


def unpacked(text: str, what: str) -> Content:
    """A content from safetensors in base64.

    Raises:   InputError if it is none
    """
    from safetensors.torch import load

    try:
        content = load(base64.b64decode(text, validate=True))["content"]
    except (ValueError, KeyError, SafetensorError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{what} is no safetensors in base64 with a tensor 'content' ({reason}); {WAY_OUT}") from error
    right = content.dim() == 2 and content.is_floating_point() and bool(content.isfinite().all())
    require(right, f"{what} is {tuple(content.shape)} in {content.dtype}; expected finite numbers (K, D); {WAY_OUT}")
    return content
