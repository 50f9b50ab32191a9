"""A fleet as a solver: problems out, results in, deaths borne."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import Result, require_solvable
from dcm_helpers.stm import Problem
from dcm_helpers.watch import Progress, WorkerProgress
from dcm_helpers.workers.crew import LIVES, Crew, Member
from dcm_helpers.workers.protocol import Job, job_message, number, result_of
from dcm_helpers.workers.share import Share

POLL_SECONDS = 0.2
"""How long the driver waits for a message before it looks at a stop."""
PATIENCE = 60.0
"""Seconds in which workers that are stopped must end their jobs; then nobody waits for them."""
SILENT = 1800.0
"""Seconds after which a worker that says nothing is killed; one that works says something after every step."""


@dataclass(frozen=True)
class Right:
    """What is told of one view of a problem in flight elsewhere."""

    tokens_right: float


@dataclass(frozen=True)
class Flight:
    """A problem in flight elsewhere, as of its worker's last word."""

    problem: Problem
    step: int
    history: Sequence[tuple[int, tuple[float, ...]]]
    shares: Sequence[float]

    @property
    def latest(self) -> list[Right]:
        """Share of tokens right, view by view."""
        return [Right(share) for share in self.shares]


class FleetSolver:
    """Finds contents on all members of a fleet; see :class:`dcm_helpers.optimize.Solver`."""

    def __init__(self, fleet: Crew, generator: Generator, config: OptimizerConfig):
        self.fleet, self.generator, self.config = fleet, generator, config
        self._curves: dict[str, list[tuple[int, tuple[float, ...]]]] = {}
        self.set_aside: dict[str, str] = {}
        """Problems in whose time too many workers died, each with what happened last."""
        fleet.prepare(generator)

    def iterate(
        self,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        stop: Event | None = None,
    ) -> Iterator[Result]:
        """Yield each problem's result as some worker finishes it; once ``stop`` is set, end with what is done.

        Raises:   InputError if no worker is left, or a row does not fit the Generator's window
        """
        require_solvable(self.generator, problems, self.config.K)
        by_id = {problem.id: problem for problem in problems}
        share = Share(list(by_id), least=self.config.batch_size or 1)
        waited = self._begin()
        progress, told = Progress(), 0.0
        stopped_at: float | None = None
        try:
            # a job's end comes after its last result, and a worker takes no other before
            while not share.done or any(member.stream is not None for member in self._alive):
                if stopped_at is None and stop is not None and stop.is_set():
                    stopped_at = time.monotonic()
                    self._halt()
                if stopped_at is None:
                    self._hand_out(share, by_id, waited)
                elif not any(member.stream for member in self._alive) or time.monotonic() - stopped_at > PATIENCE:
                    break
                if not waited:
                    break
                self.fleet.check()
                self._end_silent()
                for what in self._said(list(waited)):
                    result = self._hear(what, waited, share, by_id)
                    if result is not None:
                        progress.done += 1
                        progress.reconstructed += result.reconstructed
                        yield result
                if on_step is not None and time.monotonic() - told >= POLL_SECONDS:  # it looks at all in flight
                    told = time.monotonic()
                    on_step(self._told(progress, by_id))
            if on_step is not None:
                on_step(self._told(progress, by_id))
        finally:  # whoever listens may have heard enough
            self._halt()
            self.set_aside = share.set_aside
        if stopped_at is None and not share.done:
            raise InputError("no worker is left; what is done is kept, and the same command continues")

    def _halt(self) -> None:
        """Have every worker end its job with what is done; nobody waits for it."""
        for member in self._alive:
            if member.stream is not None and member.job_id:
                member.actor.halt.remote(member.job_id)

    def _end_silent(self) -> None:
        """Kill workers that neither work nor die; then they count as dead."""
        for member in self._alive:
            if member.stream is not None and time.monotonic() - member.heard > SILENT:  # a start may load for hours
                print(f"{member.place} said nothing for {SILENT / 60:.0f} minutes and is ended", file=sys.stderr)
                member.heard = time.monotonic()
                self.fleet.end(member)

    @property
    def _alive(self) -> list[Member]:
        """Members that were started, or can be."""
        return [member for member in self.fleet.members if not member.dropped]

    def _said(self, waited: list) -> list:
        """Of what is waited for, all that is there; at first one is waited for, since a thousand take long to ask."""
        if not self.fleet.ray.wait(waited, timeout=POLL_SECONDS, fetch_local=False)[0]:
            return []
        return self.fleet.ray.wait(waited, num_returns=len(waited), timeout=0, fetch_local=False)[0]

    def _begin(self) -> dict[Any, Member]:
        """What is waited for at first: members that are not there yet, and the ends of jobs that nobody waited for."""
        waited: dict[Any, Member] = {}
        for member in self._alive:
            if member.ready is None and member.coming is not None:
                waited[member.coming] = member
            elif member.ready is None:
                self._start(member, waited)
            elif member.stream is not None:
                member.job, member.job_id = {}, ""
                waited[member.stream] = member
        return waited

    def _start(self, member: Member, waited: dict[Any, Member]) -> None:
        """Start a worker, and wait for it."""
        member.coming = self.fleet.start(member)
        waited[member.coming] = member

    def _hand_out(self, share: Share, by_id: dict[str, Problem], waited: dict[Any, Member]) -> None:
        """Give every idle worker its next chunk."""
        ready = [member for member in self._alive if member.ready is not None]
        weights = {str(member.place): float(member.place.weight) for member in self._alive}
        for member in ready:
            if member.stream is None and (chunk := share.take(str(member.place), weights)):
                member.job = {problem: by_id[problem] for problem in chunk}
                member.job_id = self.fleet.next_job()
                job = Job(member.job_id, self.config, list(member.job.values()))
                member.heard = time.monotonic()
                member.stream = member.actor.work.options(num_returns="streaming").remote(job_message(job))
                waited[member.stream] = member

    def _hear(self, what: Any, waited: dict[Any, Member], share: Share, by_id: dict[str, Problem]) -> Result | None:
        """Take in one message of a worker, or that it died. Returns a result, if it is one."""
        member = waited[what]
        member.heard = time.monotonic()
        try:
            if isinstance(what, self.fleet.ray.ObjectRef):
                member.ready, member.coming = self.fleet.ray.get(what), None
                del waited[what]
                return None
            told = self.fleet.ray.get(next(what))
        except StopIteration:
            del waited[what]
            member.updates += member.seen.get("updates", 0)
            share.back(str(member.place))  # nothing, unless the job was stopped
            member.rest()
            member.deaths = 0
            return None
        except self.fleet.ray.exceptions.RayError as error:
            del waited[what]
            self._bury(member, error, share, waited)
            return None
        if told["job"] != member.job_id:
            return None
        if told["type"] == "progress":
            member.seen = told
            for flight in told["in_flight"]:
                curve = self._curves.setdefault(flight["problem"], [])
                curve.append((flight["step"], tuple(map(number, flight["losses"]))))
        elif told["type"] == "error":
            share.died(str(member.place), told["message"])
            print(f"{member.place}: {told['message']}", file=sys.stderr)
        elif told["type"] == "result" and share.finished(str(member.place), told["problem"]):
            member.job.pop(told["problem"], None)
            self._curves.pop(told["problem"], None)
            member.done += 1
            return result_of(told, by_id[told["problem"]])
        return None

    def _bury(self, member: Member, error: Exception, share: Share, waited: dict[Any, Member]) -> None:
        """Put a dead worker's problems back, and start it again unless it died too often."""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        cause = getattr(error, "cause", None)
        share.died(str(member.place), reason)
        # one that could not be started for a reason never will be
        member.deaths = LIVES if isinstance(cause, InputError) else member.deaths + 1
        if isinstance(cause, InputError) and not self._alive:
            raise cause
        if member.dropped:
            print(f"{member.place} is left out: {cause or reason}", file=sys.stderr)
            return
        try:
            self._start(member, waited)
            print(f"{member.place} died and is started again: {reason}", file=sys.stderr)
        except InputError as gone:
            member.deaths = LIVES
            print(f"{member.place} died and is left out: {gone}", file=sys.stderr)

    def _told(self, progress: Progress, by_id: dict[str, Problem]) -> Progress:
        """The progress of all workers together."""
        members = self.fleet.members
        progress.in_flight = [
            Flight(by_id[flight["problem"]], flight["step"], self._curves[flight["problem"]], flight["tokens_right"])
            for member in members
            for flight in member.seen.get("in_flight", [])
            if flight["problem"] in member.job
        ]
        progress.work.updates = sum(member.updates + member.seen.get("updates", 0) for member in members)
        progress.workers = [
            WorkerProgress(
                name=str(member.place),
                device=", ".join(member.ready["devices"]) if member.ready else "",
                in_flight=len(member.job),
                done=member.done,
                updates=member.updates + member.seen.get("updates", 0),
                state=member.state,
            )
            for member in members
        ]
        return progress
