"""Where a content starts, and the precision that contents are kept in."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from dcm_helpers.config import DRAWN, LEARNED, PROJECT
from dcm_helpers.errors import InputError, require
from dcm_helpers.generator import Generator, embedding_moments, token_rows
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content
from dcm_helpers.stm.problem import Problem

LEARNED_FROM = "learned_from"
"""What of a file's metadata says what its starts were learned from."""
STARTS = PROJECT / "data" / "starts"
"""Learned starts that ship: a file for each Generator, with a content for each number of slots."""


def initial_content(generator: Generator, problem: Problem, K: int, start: str, seed: int, restart: int) -> Content:
    """Where a content starts: decided by (start, seed, problem id, restart) alone, so no neighbor can change it.

    Args:     start  'tokens': embeddings of K random tokens; 'gaussian': independent noise with the mean and standard
              deviation of the embedding table's coordinates; 'shared': the same K random tokens for all problems;
              'learned' or a file: as it was learned. A restart after the first draws tokens of its own
    Raises:   InputError if the problem brings its own start in another shape, or there is no such learned start
    """
    if problem.initial is not None:
        shape = tuple(problem.initial.shape)
        require(
            shape == (K, generator.width),
            f"problem {problem.id!r} starts from a content of shape {shape}; expected (K, D) = "
            f"({K}, {generator.width})",
        )
        return problem.initial.to(generator.device, generator.content_dtype, copy=True)
    if start == "shared" and restart == 0:
        return token_rows(generator, K, seeded("shared start", seed))
    if start in DRAWN or restart > 0:
        return drawn_content(generator, K, start, seeded("init", seed, problem.id, restart))
    content = learned_start(generator.name, start, K)
    width = content.shape[1]
    require(
        width == generator.width,
        f"the start {start!r} was learned for {width} coordinates a slot, and {generator.name} reads "
        f"{generator.width}; learn one for it: python -m dcm_helpers.learn_start --help",
    )
    return content.to(generator.device, generator.content_dtype)


def drawn_content(generator: Generator, K: int, start: str, random: torch.Generator) -> Content:
    """K random tokens, or noise of their scale."""
    if start != "gaussian":
        return token_rows(generator, K, random)
    noise = torch.randn(K, generator.width, generator=random, dtype=torch.float64)
    mean, std = embedding_moments(generator)
    return (mean + std * noise).to(generator.content_dtype).to(generator.device)


def learned_start(model: str, start: str, K: int) -> Content:
    """A content that was learned as the start of all problems, in float32.

    Args:     model  the Generator's name;  start  'learned', for the one that ships, or a file
    Raises:   InputError if there is none, it cannot be read, or it has none of K slots
    """
    path, otherwise = place_of(model, start), "use --start tokens, or learn one: python -m dcm_helpers.learn_start"
    if start == LEARNED:
        shipped = ", ".join(sorted(each.stem for each in STARTS.glob("*.safetensors")))
        require(path.is_file(), f"no learned start ships for {model} (for {shipped}); {otherwise}")
    expected = f"expected {', '.join((*DRAWN, LEARNED))} or a file of learned starts"
    require(path.is_file(), f"there is no start {start!r}; {expected}")
    _, starts = read_starts(path, expected)
    sizes = ", ".join(map(str, sorted(starts)))
    require(K in starts, f"{path} has starts of {sizes} slots, none of {K}; {otherwise}")
    content = starts[K].float()
    fits = content.dim() == 2 and len(content) == K and bool(content.isfinite().all())
    require(fits, f"{path} holds no content of {K} slots under {K!r}; {expected}")
    return content


def read_starts(path: Path, way_out: str) -> tuple[object, dict[int, Content]]:
    """What the starts in a file were learned from, as it says it; and the starts by number of slots.

    Raises:   InputError with a way out if it is no such file
    """
    try:
        with safe_open(path, "pt") as file:
            learned_from = json.loads((file.metadata() or {}).get(LEARNED_FROM, "null"))
            names = list(file.keys())
            return learned_from, {int(K): file.get_tensor(K) for K in names}
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path} holds no learned starts ({error}); {way_out}") from error


def place_of(model: str, start: str) -> Path:
    """The file of a learned start."""
    return STARTS / f"{Path(model).name}.safetensors" if start == LEARNED else Path(start).expanduser()


def start_hash(model: str, start: str, K: int) -> str | None:
    """SHA-256 of a learned start's numbers, by which runs that began elsewhere are told apart; None for a drawn one.

    Raises:   InputError as :func:`learned_start`
    """
    if start in DRAWN:
        return None
    return hashlib.sha256(learned_start(model, start, K).numpy().tobytes()).hexdigest()
