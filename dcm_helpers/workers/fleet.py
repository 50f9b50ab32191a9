"""Workers as actors on Ray: pinned to nodes and devices, fed from one queue, started again when they die."""

import contextlib
import itertools
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import Queue
from threading import Event, Thread
from typing import Any

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.generator import Generator
from dcm_helpers.workers.crew import Crew, Member
from dcm_helpers.workers.places import SHARDED, Place
from dcm_helpers.workers.worker import Worker

ASKED_EVERY = 2.0
"""Seconds between two questions whether the cluster lives."""
UNANSWERED = 15.0
"""Seconds without an answer after which the cluster is taken for dead."""
CALLED_FOR = 10.0
"""Seconds in which a cluster's head must answer."""
ALL_VISIBLE = "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"
"""Ray then leaves all GPUs visible to an actor, and the number that was typed is the one that is used."""
LAST_WORDS = 10.0
"""Seconds that a dead cluster is given to be shut down."""


def ray_or_a_word() -> Any:
    """Ray.

    Raises:   InputError if it is not installed
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "--distributed needs Ray, which is not installed: python -m pip install -e '.[distributed]'"
        ) from error
    return ray


class Fleet(Crew):
    """Workers on many devices and hosts; use it in a ``with`` block.

    Ray is started for this process, and stopped after it, unless a cluster is named in RAY_ADDRESS or a host is not
    this machine; then the cluster must run.

    Args:     places  where workers run;  config  their Generator
    """

    def __init__(self, places: Sequence[Place], config: GeneratorConfig):
        self.members = [Member(place) for place in places]
        self.config = config
        self.ray = ray_or_a_word()
        self._jobs = itertools.count()
        self._fingerprint: str | None = None
        self._answered = 0.0
        self._closed = Event()
        self._lost = ""

    def __enter__(self) -> "Fleet":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever else runs here goes first
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        here = not os.environ.get("RAY_ADDRESS") and all(each.place.host == "localhost" for each in self.members)
        options: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False, "configure_logging": False}
        if not here:
            require(
                os.environ.get("RAY_AUTH_MODE") in ("token", "disabled"),
                "hosts are named, and RAY_AUTH_MODE is not set: whoever reaches a Ray cluster without a token can run "
                "anything there; set it to 'token', on every host, or to 'disabled' where the network is closed",
            )
            options = {"address": answering(os.environ.get("RAY_ADDRESS", "auto")), "log_to_driver": False}
        else:
            options["num_cpus"] = os.cpu_count() or 1
        handler = signal.getsignal(signal.SIGTERM)
        try:
            self.ray.init(ignore_reinit_error=True, **options)
            with contextlib.suppress(ValueError):  # outside the main thread, Ray leaves it alone
                signal.signal(signal.SIGTERM, handler)  # Ray took it for itself
        except SystemExit as error:  # that is what its handler makes of the signal
            raise KeyboardInterrupt from error
        except Exception as error:  # Ray raises plain ones, too
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if here:
                raise InputError(f"Ray could not be started ({reason}); the same command tries again") from error
            raise InputError(
                f"no Ray cluster answers ({reason}); run `ray start --head` on one host, `ray start --address=...` on "
                "the others, and name it in RAY_ADDRESS"
            ) from error
        try:
            for member in self.members:
                self.node_of(member)
        except InputError:
            self.ray.shutdown()
            raise
        self.watch(self.ray.get_runtime_context().get_node_id())
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()

        def close() -> None:
            for member in self.members:
                if member.actor is not None:
                    with contextlib.suppress(Exception):
                        self.ray.kill(member.actor)
            self.ray.shutdown()

        closing = Thread(target=close, daemon=True)
        closing.start()
        closing.join(LAST_WORDS if self._lost else None)

    def watch(self, mine: str) -> None:
        """Ask the cluster now and then whether a node lives, in a thread: a dead cluster does not even refuse."""
        self._answered = time.monotonic()

        def ask() -> None:
            while not self._closed.wait(ASKED_EVERY):
                try:
                    nodes = self.ray.nodes()
                except Exception:  # of whatever kind: it gave no answer, and silence is told after a while
                    continue
                if not any(node["NodeID"] == mine and node["Alive"] for node in nodes):
                    self._lost = "Ray's process on this host died"
                    return
                self._answered = time.monotonic()

        Thread(target=ask, daemon=True).start()

    def check(self) -> None:
        """See whether there is a cluster at all.

        Raises:   InputError if it is dead
        """
        if time.monotonic() - self._answered > UNANSWERED:
            time.sleep(2 * ASKED_EVERY)  # whoever was suspended must be asked again first
            if time.monotonic() - self._answered > UNANSWERED:
                self._lost = self._lost or "Ray's head does not answer"
        if self._lost:
            raise InputError(f"{self._lost}; what is done is kept, and the same command continues")

    def prepare(self, generator: Generator) -> None:
        """Take the precision and the weights of a run's Generator as those that every worker must have."""
        self._fingerprint = self._fingerprint or generator.fingerprint()
        self.config = replace(self.config, dtype=generator.precision)

    def next_job(self) -> str:
        """An id that no job of this fleet has had."""
        return str(next(self._jobs))

    def start(self, member: Member) -> Any:
        """Start a worker's actor. Returns what to wait for: its ``ready`` message.

        Raises:   InputError if its host is not, or no longer, in the cluster
        """
        node, gpus = self.node_of(member)
        beside = sum(other.place.host == member.place.host for other in self.members)
        member.rest()
        member.ready = None
        device = member.place.device if member.place.device == SHARDED else f"cuda:{member.place.device}"
        needed = gpus if device == SHARDED else 1
        threads = max(1, int(node["Resources"].get("CPU", 1)) // beside)
        strategy = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        member.actor = (
            actor_class(self.ray)
            .options(
                num_cpus=1,
                num_gpus=needed if gpus else 0,
                scheduling_strategy=strategy,
                # Ray gives an actor one thread, and what torch makes of it later is slower in threads of Python's
                runtime_env={"env_vars": {ALL_VISIBLE: "1"} if gpus else {"OMP_NUM_THREADS": str(threads)}},
            )
            .remote(replace(self.config, device=device if gpus else "cpu"), self._fingerprint)
        )
        return member.actor.ready.remote()

    def end(self, member: Member) -> None:
        """Kill a worker; what it was asked for then says so."""
        self.ray.kill(member.actor)

    def node_of(self, member: Member) -> tuple[dict, int]:
        """The node of the cluster that a member's place names, and how many GPUs it has for it.

        Raises:   InputError if there is none, or it has no such device
        """
        node = node_named(self.ray, member.place.host)
        gpus = 0 if self.config.device == "cpu" else int(node["Resources"].get("GPU", 0))
        slots = gpus or int(node["Resources"].get("CPU", 1))
        what = "GPUs" if gpus else "slots, one for each processor core"
        place = member.place
        require(place.device != SHARDED or gpus > 0, f"{place}: a sharded Generator needs GPUs, and the host has none")
        require(
            place.device == SHARDED or int(place.device) < slots,
            f"{place}: the host has {slots} {what}, numbered from 0",
        )
        return node, gpus


def answering(address: str) -> str:
    """The address of a cluster's head, if something answers there; Ray itself would wait for minutes.

    Raises:   InputError if nothing does
    """
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CALLED_FOR).close()
        except (OSError, ValueError, OverflowError) as error:
            raise InputError(
                f"RAY_ADDRESS is {address!r}, and nothing answers there ({error}); expected the HOST:PORT that "
                "`ray start --head` told"
            ) from error
    return address


def node_named(ray: Any, host: str) -> dict:
    """The node of a cluster that an address, a host name or a node name means; localhost is the driver's.

    Raises:   InputError if there is none
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    mine = ray.get_runtime_context().get_node_id()
    names = ("NodeManagerAddress", "NodeManagerHostname", "NodeName")
    found = [
        node
        for node in nodes
        if (node["NodeID"] == mine if host == "localhost" else host in {node.get(name) for name in names})
    ]
    known = ", ".join(sorted({node["NodeManagerHostname"] for node in nodes})) or "none"
    require(bool(found), f"distributed names {host!r}, and there is no such host in the Ray cluster; it has {known}")
    return found[0]


def actor_class(ray: Any) -> Any:
    """The class of actors: a Worker whose messages come as a stream, and which hears a stop meanwhile."""

    class Actor:
        def __init__(self, config: GeneratorConfig, fingerprint: str | None):
            self.worker = Worker.load(config, fingerprint)

        def ready(self) -> dict:
            return self.worker.ready()

        def process(self) -> int:
            return os.getpid()

        def work(self, job: dict) -> Iterator[dict]:
            messages: Queue[dict | BaseException | None] = Queue()

            def run() -> None:
                try:
                    self.worker.work(job, messages.put)
                    messages.put(None)
                except BaseException as error:  # to be raised where somebody hears it
                    messages.put(error)

            Thread(target=run, daemon=True).start()
            while (told := messages.get()) is not None:
                if isinstance(told, BaseException):
                    raise told
                yield told

        def halt(self, job: str) -> None:
            self.worker.halt(job)

    return ray.remote(max_restarts=0, max_task_retries=0, max_concurrency=3)(Actor)
