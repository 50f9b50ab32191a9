"""Workers that only sleep, as many as one likes: they stand in for Ray's where the driver is what is looked at."""

import heapq
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from dcm_helpers.generator import Generator
from dcm_helpers.optimize import Result
from dcm_helpers.workers import PROGRESS_SECONDS, Crew, Member, message, places_of, result_message

SPREAD = 0.6
"""Of the logarithm of a problem's time: on SmolLM2 the middle two thirds take 14 to 46 steps where the median is 25."""


@dataclass(order=True)
class Said:
    """Something that is there from a moment on."""

    due: float
    what: Any = field(compare=False)


class Stream:
    """The messages of one job, each when its time has come: results one by one, progress every second, the end."""

    def __init__(self, job: dict, seconds: float, together: int, template: dict, draw: random.Random):
        work = [seconds * draw.lognormvariate(-(SPREAD**2) / 2, SPREAD) for _ in job["problems"]]
        begun = time.monotonic()
        self._queue = [
            Said(begun + after, {**template, "job": job["job"], "problem": job["problems"][index]["id"]})
            for after, index in shared_out(work, together)
        ]
        last = self._queue[-1].due
        ids = [said.what["problem"] for said in self._queue]
        for tick in range(1, int((last - begun) / PROGRESS_SECONDS) + 1):
            flying = [
                {"problem": each, "step": 5 * tick, "losses": [2.0, 1.0], "tokens_right": [0.5, 0.75]}
                for each in ids[:together]
            ]
            told = message("progress", job=job["job"], done=0, updates=tick, evaluations=tick, in_flight=flying)
            self._queue.append(Said(begun + tick * PROGRESS_SECONDS, told))
        self._queue.append(Said(last + 1e-9, None))
        self._queue.sort()

    @property
    def due(self) -> float:
        """When the next message is there."""
        return self._queue[0].due

    def __next__(self) -> dict:
        told = self._queue.pop(0).what
        if told is None:
            raise StopIteration
        return told


def shared_out(work: Sequence[float], together: int) -> list[tuple[float, int]]:
    """When each problem ends on a device that divides its time among those in flight, in order.

    Args:     work  seconds that each takes alone;  together  how many are in flight
    Returns:  (seconds from the beginning, index)
    """
    waiting, flying, ended = list(enumerate(work))[::-1], [], []
    now = served = 0.0  # seconds that have gone by, and seconds that each in flight has had
    while waiting or flying:
        while waiting and len(flying) < together:
            index, seconds = waiting.pop()
            heapq.heappush(flying, (served + seconds, index))
        until, index = heapq.heappop(flying)
        now += (until - served) * (len(flying) + 1)
        served = until
        ended.append((now, index))
    return ended


class Ref:
    """What is waited for once."""

    due = 0.0


class Crowd(Crew):
    """Workers that sleep.

    Args:     count  how many;  seconds  that a worker takes for a problem, on average;  together  problems that it has
              in flight;  result  what every problem comes to;  asking  seconds that the engine takes to look at one
              worker
    """

    def __init__(self, count: int, seconds: float, together: int, result: Result, asking: float):
        self.members = [Member(place) for number in range(count) for place in places_of(f"host{number}:0")]
        self._numbers = iter(range(10**9))
        self._template, self._seconds, self._together = result_message("", result), seconds, together
        self._draw, self._asking = random.Random(0), asking
        errors = SimpleNamespace(RayError=ConnectionError)
        self.ray = SimpleNamespace(wait=self._wait, get=self._get, ObjectRef=Ref, exceptions=errors)

    def prepare(self, generator: Generator) -> None:
        """Nothing: no worker has a Generator."""

    def check(self) -> None:
        """Nothing: there is no cluster."""

    def next_job(self) -> str:
        """An id that no job has had."""
        return str(next(self._numbers))

    def start(self, member: Member) -> Ref:
        """Start a worker, which takes no time."""
        member.rest()
        work = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._stream))
        member.actor = SimpleNamespace(work=work, halt=SimpleNamespace(remote=lambda job: None))
        return Ref()

    def end(self, member: Member) -> None:
        """Nothing: a worker that sleeps is never silent for long."""

    def _stream(self, job: dict) -> Stream:
        return Stream(job, self._seconds, self._together, self._template, self._draw)

    def _get(self, what: Any) -> Any:
        return {"devices": ["none"]} if isinstance(what, Ref) else what

    def _wait(self, what: Sequence, num_returns: int = 1, timeout: float = 0.0, **_: object) -> tuple[list, list]:
        """The first that are there, as ``ray.wait`` has it."""
        until = time.monotonic() + self._asking * len(what)
        while time.monotonic() < until:  # not a sleep: the driver's processor is busy meanwhile
            pass
        soonest = min(each.due for each in what)
        time.sleep(max(0.0, min(timeout, soonest - time.monotonic())))
        now = time.monotonic()
        there = [each for each in what if each.due <= now][:num_returns]
        return there, []
