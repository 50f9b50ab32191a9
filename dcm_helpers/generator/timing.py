"""How long a block of a Generator takes, forward and back to what it reads; and whether kernels agree on it."""

import math
import time
from collections.abc import Mapping

import torch
from transformers import PreTrainedModel

from dcm_helpers.generator.attention import GROUPED
from dcm_helpers.shapes import Embeddings, Int, Tensor

PRECISIONS = ("float32", "bfloat16")
KERNELS = ("sdpa", "eager", GROUPED)
"""Attention kernels; the first is the usual one."""
ALIKE = 0.01
"""Another kernel is taken where its result differs by no more of the usual one's norm, in float32."""
ROW = 32
"""Positions of a row, as those of short pairs have."""
LONG_ROW = 128
"""Positions of a row that kernels are compared on, too: they differ in what they make of long ones."""
TRIES = 3
ENOUGH = 0.05
"""Seconds: small blocks are tried more often, until they took so many together."""


def agreeing_kernels(block: PreTrainedModel) -> list[str]:
    """The kernels with which a block computes what it computes with the first of them that it has."""
    found = {}
    for kernel in KERNELS:
        try:
            block.set_attn_implementation(kernel)
            states = states_of(block, *rows_for(block, 4 * ROW, ROW))
        except (ValueError, ImportError, RuntimeError):
            continue
        if block.config._attn_implementation == kernel:  # older families keep their own, whatever they are told
            found[kernel] = states[:, 1:]  # what padding attends to is anybody's
    first = next(iter(found.values()), None)
    return [kernel for kernel, states in found.items() if (states - first).norm() <= ALIKE * first.norm()]


def least_seconds(
    blocks: Mapping[str, PreTrainedModel], kernels: Mapping[str, str], positions: int, row: int
) -> dict[str, float]:
    """The least seconds of some tries in each precision, after one for nothing.

    Precisions take turns, so that whatever else a machine is busy with slows both.
    """
    taken = {name: [seconds_of(block, kernels[name], positions, row)] for name, block in blocks.items()}
    tries = 0
    while tries < TRIES or sum(map(sum, taken.values())) < ENOUGH:
        for name, block in blocks.items():
            taken[name].append(seconds_of(block, kernels[name], positions, row))
        tries += 1
    return {name: min(each[1:]) for name, each in taken.items()}


def seconds_of(block: PreTrainedModel, kernel: str, positions: int, row: int) -> float:
    """The seconds that a group of rows takes, forward and back to what it reads.

    Infinite for a kernel that the block does not have, or a precision in which it does not fit or cannot be computed.
    """
    try:
        block.set_attn_implementation(kernel)
        reads, mask = rows_for(block, positions, row)
        wait_for(block.device)
        started = time.perf_counter()
        torch.autograd.grad(states_of(block, reads, mask).sum(), reads)
        wait_for(block.device)
        return time.perf_counter() - started
    except (ValueError, ImportError, RuntimeError):
        return math.inf


def rows_for(block: PreTrainedModel, positions: int, row: int) -> tuple[Embeddings, Int[Tensor, "N L"]]:
    """Rows for a block to read, no two positions of one alike; all padded, as all but the longest are."""
    width = block.get_input_embeddings().weight.shape[1]
    slot, turn = (torch.linspace(-1, 1, size, dtype=block.dtype, device=block.device) for size in (width, row))
    reads = (slot + turn[:, None]).repeat(positions // row, 1, 1).requires_grad_()
    mask = torch.ones(reads.shape[:2], dtype=torch.long, device=block.device)
    mask[:, 0] = 0
    return reads, mask


def states_of(block: PreTrainedModel, reads: Embeddings, mask: Int[Tensor, "N L"]) -> Embeddings:
    """What a block makes of rows."""
    return block(inputs_embeds=reads, attention_mask=mask, use_cache=False).last_hidden_state


def wait_for(device: torch.device) -> None:
    """Until what was asked of a device is done."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
