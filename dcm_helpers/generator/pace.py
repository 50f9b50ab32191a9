"""How fast this machine computes a Generator's blocks: which precision, attention kernel and size of a group to take.

Measured on one block of the Generator's own shapes with random weights, forward and back to what it reads; once for
each machine and kind of Generator, and kept. What a processor reports does not tell: of two that have bfloat16, one
multiplies it seven times as fast as float32, the other half as fast (results/MEASUREMENTS.md).
"""

import contextlib
import copy
import dataclasses
import hashlib
import json
import math
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from transformers import AutoConfig, AutoModel, PretrainedConfig

from dcm_helpers.errors import InputError, require
from dcm_helpers.fetched import CACHE
from dcm_helpers.files import is_there, parsed_json, read_text, write_safely
from dcm_helpers.generator.timing import KERNELS, LONG_ROW, PRECISIONS, ROW, agreeing_kernels, least_seconds

WORTH = 0.8
"""bfloat16, or another kernel, is taken where it needs at most this share of the time: rounding breaks near ties."""
NEAR = 1.05
"""Of groups that need at most so much more time a position than the best one, the smallest is taken: the rows of a
small group are more alike in length."""
SIZES = {"cpu": (512, 1024, 2048)}
SIZES_ELSEWHERE = (8192, 32768, 131072)
"""Positions of a group that are tried, by type of device; the one in the middle is the usual one. What is timed are
short rows: groups of 256 may be as fast for these, but hold one row of a content of 128 slots, and take a sixth longer
for it."""


@dataclass(frozen=True)
class Measured:
    """What is fastest in one precision."""

    attention: str
    """The attention kernel."""
    positions: int
    """How many positions to compute at once at most."""
    seconds: float
    """Of one block and a thousand positions, forward and back."""


@dataclass(frozen=True)
class Pace:
    """What is fastest in both precisions; None for one in which the block cannot be computed here."""

    float32: Measured | None
    bfloat16: Measured | None

    @property
    def dtype(self) -> str:
        """The precision to take."""
        if self.float32 is None or self.bfloat16 is None:
            return "float32" if self.bfloat16 is None else "bfloat16"
        return "bfloat16" if self.bfloat16.seconds <= WORTH * self.float32.seconds else "float32"

    def __str__(self) -> str:
        seconds = {name: getattr(self, name) for name in PRECISIONS}
        told = [f"{1000 * each.seconds:.3g} ms in {name}" for name, each in seconds.items() if each is not None]
        failed = [f"; it cannot be computed in {name}" for name, each in seconds.items() if each is None]
        return f"a block takes {' and '.join(told)} for 1000 positions{''.join(failed)}"


def pace_of(source: Path | str, device: torch.device, fetch: bool = True) -> Pace | None:
    """How fast this machine computes blocks of a Generator: measured now, which is said, or before.

    Args:     source  a folder or a hub id, of which only the configuration is read
    Returns:  None where no block can be made of it alone, which is said, too
    """
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=not fetch)
        return pace_of_block(of_one_block(config), device)
    except Exception as error:  # a configuration of any kind on any device; loading it for good says what is wrong
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"How fast a block of {source} is here cannot be measured: {reason}", file=sys.stderr)
        return None


def pace_of_block(sample: PretrainedConfig, device: torch.device) -> Pace:
    """What is kept of a block, or what is measured now and kept where the cache can be written."""
    on = machine_and_shapes(sample, device)
    name = hashlib.sha256(json.dumps(on, sort_keys=True, default=str).encode()).hexdigest()[:24]
    path = CACHE / "pace" / f"{name}.json"
    if (pace := kept_pace(path)) is not None:
        return pace
    with alone(path.parent):
        if (pace := kept_pace(path)) is not None:  # another process was first
            return pace
        pace = measured_pace(sample, device)
        print(f"Measured on {device}: {pace}; --dtype auto is {pace.dtype}", file=sys.stderr)
        try:
            stored = {**dataclasses.asdict(pace), "on": on}
            write_safely(path, json.dumps(stored, indent=1, default=str).encode() + b"\n")
        except OSError as error:
            print(f"It is not kept, and measured again next time: {error}", file=sys.stderr)
    return pace


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process measures at a time, since two would slow each other; where no lock can be written, all do."""
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def usual_dtype(device: torch.device) -> str:
    """The precision to take where none can be measured."""
    return "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def sizes_for(device: torch.device) -> tuple[int, int, int]:
    """Positions of a group that are tried on a device."""
    return SIZES.get(device.type, SIZES_ELSEWHERE)


def usual_positions(device: torch.device) -> int:
    """The size of a group where none is measured."""
    return sizes_for(device)[1]


def kept_pace(path: Path) -> Pace | None:
    """What was measured before; None where nothing was, or what is kept makes no sense."""
    if not is_there(path):
        return None
    try:
        stored = parsed_json(read_text(path), str(path), "delete it; it is measured again")
        measured = {name: Measured(**stored[name]) for name in PRECISIONS if stored[name] is not None}
        require(bool(measured), f"{path} is damaged")
        for each in measured.values():
            require(each.attention in KERNELS and each.positions >= ROW and each.seconds > 0, f"{path} is damaged")
    except (InputError, TypeError, LookupError):
        return None
    return Pace(**{name: measured.get(name) for name in PRECISIONS})


def machine_and_shapes(sample: PretrainedConfig, device: torch.device) -> dict:
    """What a measurement holds for: this unit, so many threads, this torch, these choices, blocks of these shapes."""
    return {
        "unit": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "kernels": KERNELS,
        "sizes": sizes_for(device),
        "block": sample.to_dict(),
    }


def processor() -> str:
    """The processor's name, and what it reports that it can do."""
    known = Path("/proc/cpuinfo")
    if not known.is_file():
        return f"{platform.machine()} {platform.processor()}"
    told = known.read_text().splitlines()
    return " ".join(sorted({line for line in told if line.startswith(("model name", "flags", "Features"))}))


def of_one_block(config: PretrainedConfig) -> PretrainedConfig:
    """The configuration of a model with one block and hardly any vocabulary, of the same shapes otherwise."""
    text = config.get_text_config()
    text.num_hidden_layers, text.vocab_size = 1, 256
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):  # which may lie beyond so few tokens
        setattr(text, name, None)
    if kinds := getattr(text, "layer_types", None):
        text.layer_types = ["full_attention" if "full_attention" in kinds else kinds[-1]]
    text.name_or_path = ""  # the same shapes anywhere are the same
    return text


def measured_pace(sample: PretrainedConfig, device: torch.device) -> Pace:
    """Time both precisions, each with both kernels, and then groups of all sizes.

    Raises:   InputError if the block can be computed in neither precision
    """
    sizes, usual = sizes_for(device), usual_positions(device)
    with torch.random.fork_rng(devices=[]):  # whoever loads a Generator draws the same numbers after it
        block = AutoModel.from_config(sample, dtype=torch.float32).eval().requires_grad_(False)
    blocks = {name: copy.deepcopy(block).to(device, getattr(torch, name)) for name in PRECISIONS}
    kernels = agreeing_kernels(block) or KERNELS[:1]
    by_kernel = {
        each: [least_seconds(blocks, dict.fromkeys(PRECISIONS, each), usual, row) for row in (ROW, LONG_ROW)]
        for each in kernels
    }
    attention = {
        name: fastest({each: sum(of_row[name] for of_row in by_kernel[each]) for each in kernels})
        for name in PRECISIONS
    }
    taken = {size: least_seconds(blocks, attention, size, ROW) for size in sizes}
    found = {}
    for name in PRECISIONS:
        per_position = {size: seconds[name] / size for size, seconds in taken.items()}
        positions = next(size for size in sizes if per_position[size] <= NEAR * min(per_position.values()))
        computed = math.isfinite(per_position[positions])
        found[name] = Measured(attention[name], positions, 1000 * per_position[positions]) if computed else None
    require(any(found.values()), f"it can be computed neither in {' nor in '.join(PRECISIONS)}")
    return Pace(**found)


def fastest(seconds: Mapping[str, float]) -> str:
    """The kernel to take: the usual one, unless the best of the others needs a good deal less time."""
    usual, best = next(iter(seconds)), min(seconds, key=seconds.__getitem__)
    return best if seconds[best] < WORTH * seconds[usual] else usual
