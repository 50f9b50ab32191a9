"""The messages between a driver and a worker: JSON, one a line, versioned; contents are safetensors in base64.

A driver sends jobs and, at any time, ``stop``. A worker says that it is ``ready``, tells ``progress`` about once a
second, each ``result`` when it is there, what went wrong as ``error``, and ``end`` after every job, done or stopped.
"""

import json
from typing import Annotated, Literal, NotRequired, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.files import finite, parsed_json
from dcm_helpers.forms import Count, Number, Positive, checked, strict
from dcm_helpers.optimize import StopReason

VERSION = 1
WAY_OUT = f"see the schema of version {VERSION} (python -m dcm_helpers.phase1a_worker --schema)"


OptimizerForm = with_config(ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))(
    TypedDict("OptimizerForm", {**get_type_hints(OptimizerConfig), "terms": dict[str, float]}, total=False)
)
"""Settings of a job, by name, and terms by theirs; what is left out is at its default."""


@strict
class ViewForm(TypedDict):
    """One target that a content must serve."""

    mode: str | None
    mode_ids: list[Count]
    given_text: str
    given_ids: list[Count]
    target_text: str
    target_ids: Annotated[list[Count], Field(min_length=1)]
    kind: str
    oracle_ids: NotRequired[list[Count]]
    weight: NotRequired[Annotated[float, Field(gt=0)]]


@strict
class ProblemForm(TypedDict):
    """One content to be found."""

    id: str
    pair: str
    kind: str
    restart: Count
    variant: str
    views: Annotated[list[ViewForm], Field(min_length=1)]
    initial: NotRequired[str]
    """Where every restart begins: a content in base64."""


@strict
class JobForm(TypedDict):
    """To a worker: find these contents with these settings."""

    type: Literal["job"]
    version: Literal[1]
    job: str
    optimizer: OptimizerForm  # type: ignore[valid-type]
    problems: Annotated[list[ProblemForm], Field(min_length=1)]


@strict
class StopForm(TypedDict):
    """To a worker: end the job with what is done."""

    type: Literal["stop"]
    version: Literal[1]


@strict
class ReadyForm(TypedDict):
    """From a worker, once: what it is."""

    type: Literal["ready"]
    version: Literal[1]
    generator: str
    fingerprint: str
    dtype: str
    devices: list[str]


@strict
class FlightForm(TypedDict):
    """A problem that is being optimized."""

    problem: str
    step: Count
    losses: list[Number]
    tokens_right: list[float]


@strict
class ProgressForm(TypedDict):
    """From a worker: how far a job is."""

    type: Literal["progress"]
    version: Literal[1]
    job: str
    done: Count
    updates: Count
    evaluations: Count
    in_flight: list[FlightForm]


@strict
class MeasuredForm(TypedDict):
    """How one view came out."""

    loss: Number
    loss_text: Number
    p_eos: Number
    min_p: Number
    tokens_right: float
    teacher_forced_exact: bool
    decoded_ids: list[Count]


@strict
class CurveForm(TypedDict):
    """A thinned loss curve: at each step, the loss of every view."""

    steps: list[Count]
    losses: list[list[Number]]


@strict
class ResultForm(TypedDict):
    """From a worker: a finished problem with its content."""

    type: Literal["result"]
    version: Literal[1]
    job: str
    problem: str
    stop_reason: Literal[tuple(StopReason)]  # type: ignore[valid-type]
    steps: Count
    best_step: Count
    steps_to_exact: Count | None
    penalty: Number
    terms: NotRequired[dict[str, Number]]
    restart: Count
    restarts_tried: Positive
    steps_total: Count
    seconds: float
    history: CurveForm
    views: Annotated[list[MeasuredForm], Field(min_length=1)]
    content: str


@strict
class ErrorForm(TypedDict):
    """From a worker: what it could not do, and why."""

    type: Literal["error"]
    version: Literal[1]
    job: str | None
    message: str


@strict
class EndForm(TypedDict):
    """From a worker: nothing more comes of a job."""

    type: Literal["end"]
    version: Literal[1]
    job: str
    stopped: bool


FORMS = {
    "job": JobForm,
    "stop": StopForm,
    "ready": ReadyForm,
    "progress": ProgressForm,
    "result": ResultForm,
    "error": ErrorForm,
    "end": EndForm,
}


def message(kind: str, **fields: object) -> dict:
    """A message of this version."""
    return {"type": kind, "version": VERSION, **fields}


def line_of(value: dict) -> str:
    """A message as a line; NaN and infinities become null."""
    return json.dumps(finite(value), ensure_ascii=False, allow_nan=False)


def read_message(line: str, where: str) -> dict:
    """A message from a line.

    Raises:   InputError in one line: what is wrong with it
    """
    value = parsed_json(line, where, WAY_OUT)
    require(isinstance(value, dict), f"{where} holds {value!r} in place of an object; {WAY_OUT}")
    kind = value.get("type")
    require(
        isinstance(kind, str) and kind in FORMS, f"{where}: type is {kind!r}; expected {', '.join(FORMS)}; {WAY_OUT}"
    )
    return checked(value, FORMS[kind], where, WAY_OUT)


def schema() -> dict:
    """The JSON schema of all messages."""
    forms = [(name, "validation", TypeAdapter(form)) for name, form in FORMS.items()]
    parts, definitions = TypeAdapter.json_schemas(forms, title=f"Phase 1a worker, version {VERSION}")
    return {**definitions, "oneOf": [parts[name, "validation"] for name in FORMS]}
