"""A Generator's blocks: compiled one by one for speed, or exchanged and drawn anew as a control."""

import os
import shutil

import torch
from transformers import PreTrainedModel

from dcm_helpers.config import Layers
from dcm_helpers.errors import require
from dcm_helpers.fetched import CACHE


def blocks_of(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The model's blocks, first to last.

    Raises:   InputError where the model does not say which of its modules they are
    """
    names = set(model._no_split_modules or ())
    blocks = [module for module in model.modules() if type(module).__name__ in names]
    require(
        bool(blocks),
        f"{type(model).__name__} does not say which modules are its blocks; leave --compile and --layers out",
    )
    return blocks


@torch.no_grad()
def change_layers(model: PreTrainedModel, layers: Layers, seed: int = 0) -> None:
    """A control that keeps vocabulary and size and takes away what training put between them, in place.

    'shuffled' exchanges the blocks' weights in a seeded order that leaves none in its place; 'random' draws each weight
    matrix anew from a normal distribution with the matrix's own mean and standard deviation, and keeps vectors (norms,
    biases), so that activations stay in their usual range.
    """
    if layers == "trained":
        return
    blocks, random = blocks_of(model), torch.Generator().manual_seed(seed)
    if layers == "shuffled":
        order = torch.randperm(len(blocks), generator=random)
        source = dict(zip(order.tolist(), order.roll(1).tolist(), strict=True))  # one cycle, so every block moves
        states = [{name: value.clone() for name, value in block.state_dict().items()} for block in blocks]
        for index, block in enumerate(blocks):
            block.load_state_dict(states[source[index]])
        return
    for block in blocks:
        for weight in block.parameters():
            if weight.dim() > 1:
                weight.copy_(drawn_like(weight, random))


def drawn_like(weight: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Normal noise with a weight's own mean and standard deviation.

    Both are rounded: their last digits depend on how many threads share a sum, and with them every drawn weight would
    be another one on another machine.
    """
    noise, exact = torch.randn(weight.shape, generator=random), weight.double()
    mean, std = (float(f"{value.item():.6g}") for value in (exact.mean(), exact.std()))
    return (mean + std * noise.double()).to(weight)


def compile_blocks(model: PreTrainedModel) -> None:
    """Compile each block of a Generator in place, once for all row counts and lengths; all share the code.

    Raises:   InputError where the blocks cannot be told, or a CPU's C++ compiler is missing
    """
    blocks = blocks_of(model)
    if model.device.type == "cpu":
        compilers = [os.environ.get("CXX"), "g++", "clang++", "cl"]
        require(
            any(shutil.which(name) for name in compilers if name),
            "compiling for a CPU needs a C++ compiler and none was found (g++, clang++, or $CXX); install one, or use "
            "--compile never",
        )
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(CACHE / "compiled"))  # so that the next process is fast
    for block in blocks:
        block.compile(dynamic=True)


def is_compiled(model: PreTrainedModel) -> bool:
    """Whether a Generator's blocks are to be compiled when they are next called."""
    return all(block._compiled_call_impl is not None for block in blocks_of(model))


def uncompile_blocks(model: PreTrainedModel) -> None:
    """Let a Generator's blocks run as they were written."""
    for block in blocks_of(model):
        block._compiled_call_impl = None
