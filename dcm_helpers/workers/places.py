"""Where workers run, as it is typed: ``localhost:0:100,localhost:1:70``."""

from dataclasses import dataclass

from dcm_helpers.errors import InputError, require

EXAMPLE = "localhost:0:100,localhost:1:70"
SHARDED = "sharded"


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
    """The places in a list like ``localhost:0:100,localhost:1:70``; a weight may be left out.

    Raises:   InputError naming the part that is none
    """
    places = [place_of(part.strip()) for part in text.split(",")]
    names = [str(place) for place in places]
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"distributed names {', '.join(twice)} twice; a device holds one worker")
    return places


def place_of(part: str) -> Place:
    """One place, ``host:device:weight``."""
    host, _, rest = part.partition(":")
    device, _, weight = rest.partition(":")
    wrong = InputError(f"distributed holds {part!r}; expected host:device:weight, for instance {EXAMPLE}")
    if not host or not (device.isdecimal() or device == SHARDED):
        raise wrong
    if weight and not (weight.isdecimal() and int(weight) > 0):
        raise wrong
    return Place(host, device, int(weight or 100))
