"""Where workers run, as it is typed: ``localhost:0:100,localhost:1:70``."""

from dataclasses import dataclass

from dcm_helpers.errors import InputError, require

EXAMPLE = "localhost:0:100,localhost:1:70"
SHARDED = "sharded"
MOST = 10**6
"""Largest weight, and largest number of a device."""


@dataclass(frozen=True)
class Place:
    """One worker: a host, one of its devices, and how fast it is beside the others."""

    host: str
    device: str
    """Number of a GPU (of a slot of processor cores on a host without GPUs), or 'sharded' for all GPUs as one."""
    weight: int
    """What it is given first, in proportion; a worker that is done gets more, whatever its weight."""

    def __str__(self) -> str:
        return f"{self.host}:{self.device}"


def places_of(text: str) -> list[Place]:
    """The places in a list like ``localhost:0:100,localhost:1:70``; a weight that is left out is 100.

    Raises:   InputError naming the part that is none
    """
    places = [place_of(part.strip()) for part in text.split(",")]
    names = [str(place) for place in places]
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"distributed names {', '.join(twice)} twice; a device holds one worker")
    whole = {place.host for place in places if place.device == SHARDED}
    beside = [str(place) for place in places if place.host in whole and place.device != SHARDED]
    require(not beside, f"distributed names {', '.join(beside)} beside all GPUs of that host as one (sharded)")
    return places


def place_of(part: str) -> Place:
    """One place, ``host:device:weight``."""
    host, _, rest = part.partition(":")
    device, _, weight = rest.partition(":")
    if not host or not (number(device, 0) or device == SHARDED) or not (number(weight, 1) or not weight):
        raise InputError(
            f"distributed holds {part!r}; expected host:device:weight, for instance {EXAMPLE}, with a weight from 1 to "
            f"{MOST}"
        )
    host = "localhost" if host == "127.0.0.1" else host
    return Place(host, device if device == SHARDED else str(int(device)), int(weight or 100))


def number(text: str, least: int) -> bool:
    """Whether a text is a whole number that is neither too small nor too large."""
    return text.isdecimal() and len(text) <= len(str(MOST)) and least <= int(text) <= MOST
