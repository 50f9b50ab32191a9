"""How fast this machine computes a Generator's blocks: which precision, attention kernel and size of a group to take.

Measured on one block of the Generator's own shapes with random weights, forward and back to what it reads; once for
each machine and kind of Generator, and kept. What a processor reports does not tell: of two that have bfloat16, one
multiplies it seven times as fast as float32, the other half as fast (results/MEASUREMENTS.md).
"""

import dataclasses
import hashlib
import json
import math
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from dcm_helpers.errors import InputError, require
from dcm_helpers.fetched import CACHE
from dcm_helpers.files import is_there, parsed_json, read_text, write_safely

PRECISIONS = ("float32", "bfloat16")
KERNELS = ("sdpa", "eager")
"""Attention kernels; the first is the usual one."""
WORTH = 0.8
"""bfloat16, or another kernel, is taken where it needs at most this share of the time: rounding breaks near ties."""
NEAR = 1.05
"""Of groups that need at most so much more time a position than the best one, the smallest is taken: the rows of a
small group are more alike in length."""
SIZES = {"cpu": (256, 512, 1024)}
SIZES_ELSEWHERE = (2048, 4096, 8192)
"""Positions of a group that are tried, by type of device."""
ROW = 32
"""Positions of a row, as those of short pairs have."""
TRIES = 2


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
    """What is fastest in both precisions."""

    float32: Measured
    bfloat16: Measured

    @property
    def dtype(self) -> str:
        """The precision to take."""
        return "bfloat16" if self.bfloat16.seconds <= WORTH * self.float32.seconds else "float32"

    def __str__(self) -> str:
        float32, bfloat16 = (1000 * each.seconds for each in (self.float32, self.bfloat16))
        return f"a block takes {float32:.3g} ms in float32 and {bfloat16:.3g} ms in bfloat16 for 1000 positions"


def pace_of(source: Path | str, device: torch.device, fetch: bool = True) -> Pace | None:
    """How fast this machine computes blocks of a Generator: measured now, which is said, or before.

    Args:     source  a folder or a hub id, of which only the configuration is read
    Returns:  None where no block can be made of it alone, which is said, too
    """
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, local_files_only=not fetch)
        sample = of_one_block(config)
        path = CACHE / "pace" / f"{machine_and_shapes(sample, device)}.json"
        if (pace := kept_pace(path)) is None:
            pace = measured_pace(sample, device)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_safely(path, json.dumps(dataclasses.asdict(pace), indent=1).encode() + b"\n")
            print(f"Measured on {device}: {pace}; --dtype auto is {pace.dtype}", file=sys.stderr)
    except Exception as error:  # a configuration of any kind on any device; loading it for good says what is wrong
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        print(f"How fast a block of {source} is here cannot be measured: {reason}", file=sys.stderr)
        return None
    return pace


def kept_pace(path: Path) -> Pace | None:
    """What was measured before; None where nothing was, or what is kept makes no sense."""
    if not is_there(path):
        return None
    try:
        stored = parsed_json(read_text(path), str(path), "delete it; it is measured again")
        pace = Pace(**{name: Measured(**stored[name]) for name in PRECISIONS})
        for each in (pace.float32, pace.bfloat16):
            require(each.attention in KERNELS and each.positions >= ROW and each.seconds > 0, f"{path} is damaged")
    except (InputError, TypeError, LookupError):
        return None
    return pace


def machine_and_shapes(sample: PretrainedConfig, device: torch.device) -> str:
    """A name for this processor or GPU, so many threads, this torch, and blocks of these shapes."""
    unit = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    told = [unit, str(device), torch.get_num_threads(), torch.__version__, sample.to_dict()]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:24]


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
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[-1:]  # of several kinds, the last is full attention
    return text


def measured_pace(sample: PretrainedConfig, device: torch.device) -> Pace:
    """Time both precisions, each with both kernels, and then groups of all sizes."""
    sizes = SIZES.get(device.type, SIZES_ELSEWHERE)
    with torch.random.fork_rng(devices=[]):  # whoever loads a Generator draws the same numbers after it
        block = AutoModel.from_config(sample, dtype=torch.float32).to(device).eval().requires_grad_(False)
    found = {}
    for name in PRECISIONS:
        block = block.to(getattr(torch, name))
        usual, other = (seconds_of(block, kernel, sizes[1]) for kernel in KERNELS)
        attention = KERNELS[other <= WORTH * usual]
        taken = {size: seconds_of(block, attention, size) / size for size in sizes}
        positions = next(size for size in sizes if taken[size] <= NEAR * min(taken.values()))
        found[name] = Measured(attention, positions, 1000 * taken[positions])
    return Pace(**found)


def seconds_of(block: PreTrainedModel, kernel: str, positions: int) -> float:
    """The least seconds of some tries for a group of rows, forward and back to what it reads, after one for nothing.

    Infinite for a kernel that the block does not have.
    """
    try:
        block.set_attn_implementation(kernel)
    except (ValueError, ImportError):
        return math.inf
    width = block.get_input_embeddings().weight.shape[1]
    row = torch.linspace(-1, 1, width, dtype=block.dtype, device=block.device)
    reads = row.repeat(positions // ROW, ROW, 1).requires_grad_()
    mask = torch.ones(reads.shape[:2], dtype=torch.long, device=block.device)
    mask[:, 0] = 0  # padded, as all rows but the longest are
    taken = []
    for _ in range(TRIES + 1):
        wait_for(block.device)
        started = time.perf_counter()
        states = block(inputs_embeds=reads, attention_mask=mask, use_cache=False).last_hidden_state
        torch.autograd.grad(states.sum(), reads)
        wait_for(block.device)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


def wait_for(device: torch.device) -> None:
    """Until what was asked of a device is done."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
