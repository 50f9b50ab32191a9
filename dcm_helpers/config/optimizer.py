"""How one content is optimized."""

import dataclasses
import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from dcm_helpers.config.names import NEWER, Lives, Schedule, StopRule, Weighting
from dcm_helpers.config.typed import NamedNumber, require_types
from dcm_helpers.errors import require


@dataclass(frozen=True)
class OptimizerConfig:
    """How one content is optimized. The defaults reconstruct fastest; the preset 'mission' has the mission's own."""

    # one line of a terminal each where possible: the help of a group must fit a screen
    K: int = 32
    """Content slots: vectors of one content (usual: 4 to 128)."""
    num_steps: int = 800
    """Steps that one restart may take at most."""
    num_restarts: int = 5
    """Restarts; the next is taken only after a failed one."""
    lr: float = 0.03
    """Learning rate of Adam; decides how far content travels."""
    stop_rule: StopRule = "confident"
    """'exact': every target token is the most probable one;
    'confident': and has probability 0.5 or more;
    'minimize': and the loss has leveled out (1 % in 50 steps)."""
    seed: int = 0
    """Seed of the starts."""
    batch_size: int | None = None
    """Problems at once; None fills the device."""
    schedule: Schedule = "constant"
    """Learning rate in a restart: 'cosine' falls to 0, 'progressive' to a tenth after 40 % of the steps."""
    # the usual 0.999 remembers the first, largest gradients for longer than most problems take
    beta2: float = 0.9
    """Decay of Adam's average of squared gradients."""
    weighting: Weighting = "token"
    """What pulls equally: every target token, or every view."""
    start: str = "tokens"
    """'tokens': K random ones of its own; 'gaussian': noise; 'shared': random
    tokens, one draw for all; 'learned': what ships; or a file of learn_start."""
    eos_threshold: float | None = None
    """Tightens the stop rule: least probability of EOS."""
    loss_threshold: float | None = None
    """Tightens the stop rule: loss of a view, nats per token."""
    grad_clip: float | None = None
    """Largest norm of a problem's gradient; None: no limit."""
    terms: Annotated[
        tuple[NamedNumber, ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(name="term", help_behavior_hint="(repeatable)"),
    ] = ()
    """A term beside cross-entropy, as listed above, and its number."""
    parameterization: Lives = "direct"
    """Where contents live: anywhere; 'held_norm': slots keep their norm; 'mlp': behind a small network of the problem's
    own; 'projection': in a random subspace of 64 directions."""

    def __post_init__(self):
        if isinstance(self.terms, Mapping):  # as a notebook would write them
            object.__setattr__(self, "terms", tuple(self.terms.items()))
        example = "expected names with numbers, for instance {'semantic': 0.3}"
        fits = isinstance(self.terms, Sequence) and all(
            isinstance(term, Sequence) and len(term) == 2 for term in self.terms
        )
        require(fits, f"terms is {self.terms!r}; {example}")
        object.__setattr__(self, "terms", tuple(tuple(term) for term in self.terms))
        require_types(self)
        require(self.K >= 1, f"K is {self.K}; a content needs at least 1 slot (usual values: 4 to 128)")
        for name in ("num_steps", "num_restarts", "batch_size"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name} is {value}; expected at least 1")
        require(self.lr > 0 and math.isfinite(self.lr), f"lr is {self.lr}; expected a positive number")
        if self.terms:  # the table of terms is looked up only where there are some
            importlib.import_module("dcm_helpers.objective").require_terms(self.terms)
            on = {name for name, value in self.terms if value}
            require(
                "norm" not in on or self.parameterization != "held_norm",
                "slots' norm is held; leave out the term 'norm'",
            )
            require(
                "relations" not in on or self.batch_size != 1,
                "the term 'relations' compares problems in flight; use a batch_size of 2 or more",
            )
        require(0 <= self.beta2 < 1, f"beta2 is {self.beta2}; expected a number from 0 to below 1")
        for name, upper in (("eos_threshold", 1.0), ("loss_threshold", math.inf), ("grad_clip", math.inf)):
            value = getattr(self, name)
            require(
                value is None or 0 < value < upper,
                f"{name} is {value}; expected a number above 0" + (f" and below {upper}" if upper < math.inf else ""),
            )

    def stored(self) -> dict:
        """The settings as runs store them, where a start, and a term and a parameterization of the first versions, have
        names of their own, and others stand only where they are used: so a run of before is found again and goes on.
        """
        settings = dataclasses.asdict(self)
        terms, lives = dict(settings.pop("terms")), settings.pop("parameterization")
        settings["init"] = settings.pop("start")
        settings["token_distance"] = terms.pop("token_distance", 0.0)
        settings["hold_norm"] = lives == "held_norm"
        used = {name: value for name, value in terms.items() if value}
        return settings | ({"terms": used} if used else {}) | ({"parameterization": lives} if lives in NEWER else {})

    @classmethod
    def of_stored(cls, stored: dict) -> "OptimizerConfig":
        """The settings that :meth:`stored` made, or an earlier version.

        Raises:   InputError if there are some that this version lacks
        """
        settings = dict(stored)
        settings["start"] = settings.pop("init", "tokens")
        terms = {"token_distance": settings.pop("token_distance", 0.0), **settings.pop("terms", {})}
        held = settings.pop("hold_norm", False)
        lives = settings.pop("parameterization", "held_norm" if held else "direct")
        unknown = sorted(settings.keys() - {field.name for field in dataclasses.fields(cls)})
        require(not unknown, f"it was made with settings that this version lacks: {', '.join(unknown)}")
        return cls(
            **settings, terms=tuple((name, value) for name, value in terms.items() if value), parameterization=lives
        )

    def lr_at(self, step: int) -> float:
        """Learning rate of the update that follows the measurement after ``step`` updates."""
        progress = step / self.num_steps
        if self.schedule == "cosine":
            return self.lr * 0.5 * (1 + math.cos(math.pi * progress))
        if self.schedule == "progressive":
            return self.lr * (1.0 if progress < 0.4 else 0.1)
        return self.lr


PRESETS: dict[str, dict] = {
    "default": {},
    "mission": {"lr": 1.0, "beta2": 0.999, "weighting": "view"},
    "progressive": {"schedule": "progressive", "lr": 0.05, "num_steps": 500, "beta2": 0.999, "weighting": "view"},
}
"""Named settings of :class:`OptimizerConfig`: what was measured to be fastest, the mission's own (lr 1.0), and the
mission's two-phase schedule (200 steps at 0.05, then 300 at 0.005)."""
