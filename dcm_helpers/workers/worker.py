"""One Generator that does jobs and tells all by messages: in an actor, behind a pipe, in a scheduler's task."""

import time
from collections.abc import Callable
from threading import Event

import torch

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.watch import Progress
from dcm_helpers.workers.messages import message
from dcm_helpers.workers.protocol import Job, job_of, result_message

PROGRESS_SECONDS = 1.0


class Worker:
    """A Generator, loaded once, and the ordinary loop."""

    def __init__(self, generator: Generator):
        self.generator = generator
        self.stop = Event()
        """Set it to end the job that is being done with what is done."""
        self._job = self._halted = ""

    @classmethod
    def load(cls, config: GeneratorConfig, fingerprint: str | None = None) -> "Worker":
        """A worker with a Generator of its own.

        Raises:   InputError if the Generator cannot be loaded, or has other weights than it should have
        """
        generator = load_generator(config)
        found = generator.fingerprint()
        require(
            fingerprint in (None, found),
            f"{config.model!r} has other weights here than where the run was begun; put the same files there",
        )
        return cls(generator)

    def ready(self) -> dict:
        """What this worker is, as a message."""
        return message(
            "ready",
            generator=self.generator.name,
            fingerprint=self.generator.fingerprint(),
            dtype=self.generator.precision,
            devices=self.generator.device_names,
        )

    def halt(self, job: str) -> None:
        """End a job with what is done, and no other: it may have ended by now, or not have begun."""
        self._halted = job
        if self._job == job:
            self.stop.set()

    def work(self, job: dict, emit: Callable[[dict], None]) -> None:
        """Do a job, given as a message, and emit what comes of it; ``end`` is the last, unless it dies of it."""
        self._job = job["job"]
        if self._halted == self._job:
            self.stop.set()
        try:
            self._solve(job_of(job), emit)
        except (InputError, torch.OutOfMemoryError) as error:
            emit(message("error", job=job["job"], message=str(error)))
        stopped = self.stop.is_set()
        emit(message("end", job=job["job"], stopped=stopped))
        self._job = ""
        if stopped:  # what was set since then is for the next
            self.stop.clear()

    def _solve(self, job: Job, emit: Callable[[dict], None]) -> None:
        told = time.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal told
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                emit(progress_message(job.id, progress))

        for result in ContentOptimizer(self.generator, job.config).iterate(job.problems, tell, self.stop):
            emit(result_message(job.id, result))


def progress_message(job: str, progress: Progress) -> dict:
    """How far a job is, as a message."""
    in_flight = [
        {
            "problem": attempt.problem.id,
            "step": attempt.step,
            "losses": list(attempt.history[-1][1]) if attempt.history else [],
            "tokens_right": [measured.tokens_right for measured in attempt.latest],
        }
        for attempt in progress.in_flight
    ]
    work = progress.work
    return message(
        "progress",
        job=job,
        done=progress.done,
        updates=work.updates,
        evaluations=work.evaluations,
        in_flight=in_flight,
    )
