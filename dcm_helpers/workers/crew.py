"""What a solver knows of the workers that it gives problems to, whatever engine they run on."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dcm_helpers.generator import Generator
from dcm_helpers.stm import Problem
from dcm_helpers.workers.places import Place

LIVES = 3
"""A worker that died so often without ending a job between is not started again."""


@dataclass
class Member:
    """One worker of a fleet."""

    place: Place
    actor: Any = None
    coming: Any = None
    """What is waited for until it is ready."""
    ready: dict | None = None
    """What it said of itself; None while it is being started."""
    deaths: int = 0
    """Since it last ended a job."""
    stream: Any = None
    """The messages of the job that it is doing; None while it has none."""
    heard: float = 0.0
    """When it last said something, on the monotonic clock."""
    job_id: str = ""
    """Empty while it has none; what still comes of an earlier one is not listened to."""
    job: dict[str, Problem] = field(default_factory=dict)
    """The problems of the job that it has not finished, by id."""
    seen: dict = field(default_factory=dict)
    """Its last progress message."""
    done: int = 0
    updates: int = 0
    """Of finished jobs."""

    def rest(self) -> None:
        """Have no job."""
        self.stream, self.job, self.job_id, self.seen = None, {}, "", {}

    @property
    def state(self) -> str:
        """What it is doing, in a word or two."""
        if self.dropped:
            return "left out"
        if self.ready is None:
            return "starting"
        return "idle" if self.stream is None else "working"

    @property
    def dropped(self) -> bool:
        """Whether it died too often."""
        return self.deaths >= LIVES


class Crew(ABC):
    """Workers that a solver can give problems to."""

    members: Sequence[Member]
    ray: Any
    """What waits for messages and gets them: Ray, or what stands in for it."""

    @abstractmethod
    def prepare(self, generator: Generator) -> None:
        """Take the precision and the weights of a run's Generator as those that every worker must have."""

    @abstractmethod
    def check(self) -> None:
        """See whether the engine lives.

        Raises:   InputError if it does not
        """

    @abstractmethod
    def next_job(self) -> str:
        """An id that no job has had."""

    @abstractmethod
    def start(self, member: Member) -> Any:
        """Start a worker. Returns what to wait for: its ``ready`` message.

        Raises:   InputError if it cannot be started, and never will be
        """

    @abstractmethod
    def end(self, member: Member) -> None:
        """Kill a worker; what it was asked for then says so."""
