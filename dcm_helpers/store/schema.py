"""The form of everything that is read from a run folder, which may come from elsewhere or have been damaged."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from dcm_helpers.forms import Count, Number, Positive, Precision, Seconds, Share, Word, strict


@strict
class Place(TypedDict):
    """Where a content is."""

    file: str
    key: str
    sha256: NotRequired[str]
    """Of its numbers, little-endian; earlier versions wrote none."""


@strict
class Loss(TypedDict):
    """A baseline, in nats per token."""

    loss: Number
    loss_text: Number


@strict
class View(TypedDict):
    """What every view says."""

    mode: str | None
    kind: Word
    target_text: str
    decoded_text: str
    decoded_ids: list[Count]
    reconstructed: bool


@strict
class OptimizedView(View):
    """A view of stage 1 or 2."""

    given_text: str
    target_ids: Annotated[list[Count], Field(min_length=1)]
    loss: Number
    loss_text: Number
    p_eos: Share | None
    min_p: Share | None
    teacher_forced_exact: bool
    weight: NotRequired[Annotated[float, Field(gt=0)]]
    """Left out where it is 1."""
    baselines: NotRequired[dict[str, Loss | None]]
    converged_by: NotRequired[list[str]]


@strict
class DecodedView(View):
    """A view of stage 3."""

    exact_match: bool
    f1: Share
    clean_stop: bool
    repeated_share: Share
    degeneration: Word


@strict
class Record(TypedDict):
    """What every record says."""

    problem: str
    pair: str
    stage: Literal[1, 2, 3]
    kind: Word
    problem_restart: Count
    variant: str


@strict
class Optimized(Record):
    """A record of stage 1 or 2."""

    seed: int
    K: Positive
    stop_rule: Word
    stop_reason: Word
    steps: Count
    best_step: Count
    steps_to_exact: Count | None
    restart: Count
    restarts_tried: Positive
    steps_total: Count
    seconds: Seconds
    loss: Number
    penalty: Number
    terms: NotRequired[dict[str, Number]]
    """Without their weights; where there are none it is left out."""
    reconstructed: bool
    converged: bool | None
    content: Place
    views: Annotated[list[OptimizedView], Field(min_length=1)]


@strict
class Decoded(Record):
    """A record of stage 3."""

    outcome: Literal["pass", "partial", "fail"]
    key_information: bool
    content: Place
    views: Annotated[list[DecodedView], Field(min_length=1)]


@strict
class Curve(TypedDict):
    """A thinned loss curve."""

    stage: Count
    problem: str
    steps: list[Count]
    losses: list[list[Number]]


@strict
class Failure(TypedDict):
    """A problem that was given up."""

    problem: str
    reason: str


@strict
class GeneratorSettings(TypedDict):
    """Which Generator a run asked for."""

    model: str
    dtype: Precision


@strict
class DataSettings(TypedDict):
    """Which pairs a run asked for."""

    dataset: str
    num_examples: Positive
    data_seed: int


@strict
class OptimizerSettings(TypedDict):
    """How contents are optimized; those of the settings that every version has."""

    K: Positive
    num_steps: Positive
    num_restarts: Positive
    lr: float
    schedule: Word
    stop_rule: Word
    seed: int
    beta2: NotRequired[float]
    weighting: NotRequired[Word]
    init: NotRequired[str]
    hold_norm: NotRequired[bool]
    token_distance: NotRequired[float]
    terms: NotRequired[dict[str, float]]
    parameterization: NotRequired[Word]
    eos_threshold: NotRequired[float | None]
    loss_threshold: NotRequired[float | None]
    grad_clip: NotRequired[float | None]


@strict
class Identity(TypedDict):
    """The settings that decide results."""

    generator: GeneratorSettings
    data: DataSettings
    optimizer: OptimizerSettings
    mode_tokens: list[str]
    single_slot: bool
    task_steps: NotRequired[Count]
    start_fingerprints: NotRequired[list[str]]


@strict
class GeneratorFacts(TypedDict):
    """What the Generator of a run was."""

    name: str
    dtype: Precision
    fingerprint: str


@strict
class DataFacts(TypedDict):
    """What the pairs of a run were."""

    source: str
    account: str
    pairs: Positive
    fingerprint: str
    unwritable: NotRequired[list[str]]


@strict
class Session(TypedDict):
    """One stretch of work on a run."""

    started: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT")]
    seconds: Seconds
    stages: list[int]
    devices: list[str]
    threads: Positive
    spent: NotRequired[dict[str, Seconds]]
    attention: NotRequired[str]
    positions_at_once: NotRequired[Positive]
    ignore_gates: NotRequired[bool]
    num_validate: NotRequired[Positive | None]


@strict
class Manifest(TypedDict):
    """A run's ``run.json``."""

    identity: Identity
    generator: GeneratorFacts
    data: DataFacts
    versions: dict[str, str]
    sessions: list[Session]


@strict
class Diagnosis(TypedDict):
    """What remedies tried on failures of a stage said."""

    records: NotRequired[Count]
    reading: NotRequired[str]


@strict
class Summary(TypedDict):
    """Of ``summary.json``, what is read back."""

    diagnosis: NotRequired[dict[str, Diagnosis]]
    halted_after: NotRequired[int | None]


RECORDS = {1: Optimized, 2: Optimized, 3: Decoded}
"""By stage, the form of its records."""
