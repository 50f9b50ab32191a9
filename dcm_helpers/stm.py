"""The STM: views and problems, where content starts, and how rows are laid out for the Generator.

A row is what the Generator reads for one view::

    [pad | BOS  mode | content | given | target without its last token | pad]
     \\______________ prefix, P positions ______________/

All rows of a :class:`Layout` are padded on the left so that their prefixes end at the same position. The targets then
share one slice of positions, whatever the lengths of what stands before them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dcm_helpers.config import Initialization, require
from dcm_helpers.models import Generator
from dcm_helpers.shapes import Content, Contents, Embeddings, Float, Int, Mask, Tensor, TokenIds

EXTRA_TOKENS = 8
"""Decoding may run this many tokens past the target's length before it is cut."""


@dataclass(frozen=True)
class View:
    """One target that a content must serve, and what stands around the content when it is asked for."""

    mode: str | None
    """The mode word, such as 'Q'; None in the single-target diagnostic."""
    target_text: str
    target_ids: tuple[int, ...]
    """Token ids of the target; EOS is the last."""
    mode_ids: tuple[int, ...] = ()
    given_text: str = ""
    given_ids: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """What the view is called in tables and figures: its mode, or 'alone'."""
        return self.mode or "alone"

    @classmethod
    def of(cls, generator: Generator, target: str, mode: str | None = None, given: str = "") -> "View":
        """A view of a target text, tokenized by the Generator's conventions."""
        return cls(
            mode=mode,
            target_text=target,
            target_ids=generator.target_ids(target),
            mode_ids=(generator.mode_id(mode),) if mode is not None else (),
            given_text=given,
            given_ids=generator.text_ids(given) if given else (),
        )


@dataclass(frozen=True)
class Problem:
    """One content to be found, and the views that it must serve."""

    id: str
    """Unique within a run; initializations are seeded from it."""
    views: tuple[View, ...]
    pair: str = ""
    """Id of the pair that the problem was made of."""
    initial: Content | None = None
    """Where every restart begins, in place of a random initialization."""

    def __post_init__(self):
        require(len(self.views) > 0, f"problem {self.id!r} has no views; a content needs at least one target")


@dataclass(frozen=True)
class Row:
    """One row of a forward pass: token ids around at most one content."""

    head_ids: tuple[int, ...]
    """What stands before the content: BOS and mode, or a whole prompt."""
    slot: int | None
    """Which content of the batch the row reads; None for a row of text alone."""
    given_ids: tuple[int, ...]
    target_ids: tuple[int, ...]

    @classmethod
    def of(cls, generator: Generator, view: View, slot: int | None) -> "Row":
        """The row in which a view reads the content in a slot of the batch."""
        return cls(generator.bos_ids + view.mode_ids, slot, view.given_ids, view.target_ids)

    def prefix_length(self, K: int) -> int:
        """Positions before the first target token."""
        return len(self.head_ids) + (0 if self.slot is None else K) + len(self.given_ids)

    def length(self, K: int) -> int:
        """Positions of the row; the target's last token is predicted but never read."""
        return self.prefix_length(K) + max(len(self.target_ids) - 1, 0)


@dataclass(frozen=True)
class Layout:
    """Rows laid out side by side: everything about them but the contents, so it serves many steps."""

    constants: Embeddings
    """Embeddings of all tokens, in the Generator's dtype; zero where content or padding stands."""
    attention_mask: Int[Tensor, "N L"]
    position_ids: Int[Tensor, "N L"]
    target_ids: TokenIds
    target_mask: Mask
    target_rows: Int[Tensor, " M"]
    """The row of each of the M real target tokens, row by row."""
    target_columns: Int[Tensor, " M"]
    """Which token of its target it is, counted from 0."""
    content_rows: Int[Tensor, "C 1"]
    """The C rows that read a content."""
    content_columns: Int[Tensor, "C K"]
    content_slots: Int[Tensor, " C"]

    def embeddings(self, contents: Contents | None) -> Embeddings:
        """The rows with the contents in their places; differentiable in the contents."""
        if not len(self.content_slots):
            return self.constants
        values = contents[self.content_slots].to(self.constants.dtype)
        return self.constants.index_put((self.content_rows, self.content_columns), values)


def lay_out(generator: Generator, rows: Sequence[Row], K: int) -> Layout:
    """Lay rows out for one forward pass.

    Args:     rows  what each row reads; K  content slots, the same for all
    Returns:  the layout, on the Generator's device
    """
    P = max(row.prefix_length(K) for row in rows)
    L = max(P - row.prefix_length(K) + row.length(K) for row in rows)
    T = max(len(row.target_ids) for row in rows)
    ids = torch.full((len(rows), L), generator.eos_id)
    is_token = torch.zeros(len(rows), L, dtype=torch.bool)
    attention_mask = torch.zeros(len(rows), L, dtype=torch.long)
    target_ids = torch.zeros(len(rows), T, dtype=torch.long)
    target_mask = torch.zeros(len(rows), T, dtype=torch.bool)
    content_rows, content_columns, content_slots = [], [], []
    for index, row in enumerate(rows):
        start = P - row.prefix_length(K)
        attention_mask[index, start : start + row.length(K)] = 1
        after_head = start + len(row.head_ids)
        after_content = after_head + (0 if row.slot is None else K)
        for position, tokens in ((start, row.head_ids), (after_content, row.given_ids), (P, row.target_ids[:-1])):
            ids[index, position : position + len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            is_token[index, position : position + len(tokens)] = True
        target_ids[index, : len(row.target_ids)] = torch.tensor(row.target_ids, dtype=torch.long)
        target_mask[index, : len(row.target_ids)] = True
        if row.slot is not None:
            content_rows.append([index])
            content_columns.append(list(range(after_head, after_content)))
            content_slots.append(row.slot)
    device = generator.device
    target_rows, target_columns = target_mask.nonzero(as_tuple=True)
    constants = generator.embed(ids) * is_token.to(device)[..., None]
    return Layout(
        constants=constants,
        attention_mask=attention_mask.to(device),
        position_ids=(attention_mask.cumsum(1) - 1).clamp(min=0).to(device),
        target_ids=target_ids.to(device),
        target_mask=target_mask.to(device),
        target_rows=target_rows.to(device),
        target_columns=target_columns.to(device),
        content_rows=torch.tensor(content_rows, dtype=torch.long, device=device).reshape(-1, 1),
        content_columns=torch.tensor(content_columns, dtype=torch.long, device=device).reshape(len(content_rows), K),
        content_slots=torch.tensor(content_slots, dtype=torch.long, device=device),
    )


def view_rows(generator: Generator, problems: Sequence[Problem]) -> list[Row]:
    """The rows of all views of all problems, problem by problem; problem b reads content b of the batch."""
    return [Row.of(generator, view, slot) for slot, problem in enumerate(problems) for view in problem.views]


def positions(generator: Generator, problem: Problem, K: int) -> int:
    """Positions that a problem's longest row may take, decoding past its target included."""
    return EXTRA_TOKENS + max(Row.of(generator, view, slot=0).length(K) for view in problem.views)


def require_fits(generator: Generator, problems: Sequence[Problem], K: int) -> None:
    """Check before any work is done that every row fits the Generator's context window.

    Raises:   InputError naming the first problem that does not fit and by how much
    """
    for problem in problems:
        needed = positions(generator, problem, K)
        require(
            needed <= generator.window,
            f"problem {problem.id!r} needs {needed} positions, {K} of them content slots, and {generator.name} has a "
            f"window of {generator.window}; use a smaller K, shorter targets, or a Generator with a longer window",
        )


def seeded(*parts: object) -> torch.Generator:
    """A random stream that depends on nothing but the given parts (seed, problem id, restart, ...)."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def random_ids(generator: Generator, count: int, random: torch.Generator) -> list[int]:
    """Random token ids, special ones left out."""
    size, special = generator.ordinary_ids
    ids: list[int] = []
    while len(ids) < count:  # drawn again, rather than from a list of allowed ids: the vocabulary can be large
        drawn = torch.randint(size, (count - len(ids),), generator=random).tolist()
        ids += [token for token in drawn if token not in special]
    return ids


def token_rows(generator: Generator, count: int, random: torch.Generator) -> Float[Tensor, "count D"]:
    """Embeddings of random tokens, special ones left out, in the precision that contents are kept in."""
    return generator.embed(torch.tensor(random_ids(generator, count, random))).to(content_dtype(generator))


def initial_content(
    generator: Generator, problem: Problem, K: int, init: Initialization, seed: int, restart: int
) -> Content:
    """Where a content starts: drawn from (seed, problem id, restart) alone, so no neighbor can change it.

    Args:     init  'tokens': embeddings of K random tokens; 'gaussian': independent noise with the mean and standard
              deviation of the embedding table's coordinates
    Raises:   InputError if the problem brings its own start in another shape
    """
    if problem.initial is not None:
        shape = tuple(problem.initial.shape)
        require(
            shape == (K, generator.width),
            f"problem {problem.id!r} starts from a content of shape {shape}; expected (K, D) = "
            f"({K}, {generator.width})",
        )
        return problem.initial.to(generator.device, content_dtype(generator), copy=True)
    random = seeded("init", seed, problem.id, restart)
    if init == "tokens":
        return token_rows(generator, K, random)
    noise = torch.randn(K, generator.width, generator=random, dtype=torch.float64)
    mean, std = embedding_moments(generator)
    return (mean + std * noise).to(content_dtype(generator)).to(generator.device)


def embedding_moments(generator: Generator) -> tuple[float, float]:
    """Mean and standard deviation of the coordinates of token embeddings, estimated on 4096 tokens."""
    rows = token_rows(generator, 4096, seeded("embedding moments")).cpu().double()
    return rows.mean().item(), rows.std().item()


def content_dtype(generator: Generator) -> torch.dtype:
    """Precision of contents and optimizer state: float32, or float64 for a float64 Generator."""
    return torch.promote_types(torch.float32, generator.dtype)
