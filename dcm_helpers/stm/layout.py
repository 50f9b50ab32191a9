"""How rows are laid out for the Generator, and grouped so that little is computed for nothing.

A row is what the Generator reads for one view::

    [pad | BOS  mode | content | given | target without its last token | pad]
     \\______________ prefix, P positions ______________/

All rows of a :class:`Layout` are padded on the left so that their prefixes end at the same position. The targets then
share one slice of positions, whatever the lengths of what stands before them.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents, Embeddings, Int, Mask, Tensor, TokenIds
from dcm_helpers.stm.problem import Problem, View

POSITIONS_PER_FORWARD = 4096
"""Rows are scored in groups of at most this many positions, which bounds the memory of one forward pass."""
GROUP_OVERHEAD = 16
"""Starting a group costs about as much as a full group divided by this: it reads all weights once more."""
EXTRA_TOKENS = 8
"""Decoding may run this many tokens past the target's length before it is cut."""


@dataclass(frozen=True)
class Row:
    """One row of a forward pass: token ids around at most one content."""

    head_ids: tuple[int, ...]
    """What stands before the content: BOS and mode, or a whole prompt."""
    place: int | None
    """Which content of the batch the row reads; None for a row of text alone."""
    given_ids: tuple[int, ...]
    target_ids: tuple[int, ...]
    leads: bool = False
    """Whether the row is the first of those that read its content."""

    @classmethod
    def of(cls, generator: Generator, view: View, place: int | None, leads: bool = False) -> "Row":
        """The row in which a view reads the content at a place of the batch."""
        return cls(generator.bos_ids + view.mode_ids, place, view.given_ids, view.target_ids, leads)

    def prefix_length(self, K: int) -> int:
        """Positions before the first target token."""
        return len(self.head_ids) + (0 if self.place is None else K) + len(self.given_ids)

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
    content_places: Int[Tensor, " C"]
    leading_places: Int[Tensor, " leading"]
    """Contents whose first row stands here: over the groups of a step every content is named once."""

    @property
    def targets(self) -> Int[Tensor, " M"]:
        """The M real target token ids."""
        return self.target_ids[self.target_rows, self.target_columns]

    def embeddings(self, contents: Contents | None) -> Embeddings:
        """The rows with the contents in their places; differentiable in the contents."""
        if not len(self.content_places):
            return self.constants
        values = contents[self.content_places].to(self.constants.dtype)
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
    content_rows, content_columns, content_places = [], [], []
    for index, row in enumerate(rows):
        start = P - row.prefix_length(K)
        attention_mask[index, start : start + row.length(K)] = 1
        after_head = start + len(row.head_ids)
        after_content = after_head + (0 if row.place is None else K)
        for position, tokens in ((start, row.head_ids), (after_content, row.given_ids), (P, row.target_ids[:-1])):
            ids[index, position : position + len(tokens)] = torch.tensor(tokens, dtype=torch.long)
            is_token[index, position : position + len(tokens)] = True
        target_ids[index, : len(row.target_ids)] = torch.tensor(row.target_ids, dtype=torch.long)
        target_mask[index, : len(row.target_ids)] = True
        if row.place is not None:
            content_rows.append([index])
            content_columns.append(list(range(after_head, after_content)))
            content_places.append(row.place)
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
        content_places=torch.tensor(content_places, dtype=torch.long, device=device),
        leading_places=torch.tensor([row.place for row in rows if row.leads], dtype=torch.long, device=device),
    )


def view_rows(generator: Generator, problems: Sequence[Problem]) -> list[Row]:
    """The rows of all views of all problems, problem by problem; problem b reads content b of the batch."""
    return [
        Row.of(generator, view, place, leads=index == 0)
        for place, problem in enumerate(problems)
        for index, view in enumerate(problem.views)
    ]


def positions(generator: Generator, problem: Problem, K: int) -> int:
    """Positions that a problem's longest row may take, decoding past its target included."""
    return EXTRA_TOKENS + max(Row.of(generator, view, place=0).length(K) for view in problem.views)


def why_too_long(generator: Generator, problem: Problem, K: int) -> str:
    """What keeps a problem's rows from fitting the Generator's context window; '' where nothing does."""
    needed = positions(generator, problem, K)
    if needed <= generator.window:
        return ""
    return f"it needs {needed} positions, {K} of them slots, and the window has {generator.window}"


def require_fits(generator: Generator, problems: Sequence[Problem], K: int) -> None:
    """Check before any work is done that every row fits the Generator's context window.

    Raises:   InputError naming the first problem that does not fit and by how much
    """
    for problem in problems:
        reason = why_too_long(generator, problem, K)
        require(
            not reason,
            f"problem {problem.id!r} does not fit {generator.name}: {reason}; use a smaller K, shorter targets, or a "
            "Generator with a longer window",
        )


Computed = TypeVar("Computed")


def groups_by_length(rows: Sequence[Row], K: int, most: int = POSITIONS_PER_FORWARD) -> list[list[int]]:
    """Split row indices into groups of similar length, each at most ``most`` positions once padded.

    Of all ways to cut the rows in order of length, the one that computes the fewest positions, where starting a group
    counts as ``most / GROUP_OVERHEAD`` positions.
    """
    order = sorted(range(len(rows)), key=lambda index: (rows[index].prefix_length(K), rows[index].length(K)))
    prefixes = [rows[index].prefix_length(K) for index in order]
    targets = [rows[index].length(K) - rows[index].prefix_length(K) for index in order]
    best, cut = [0.0], [0]
    for end in range(1, len(order) + 1):
        cheapest, start_of_cheapest, prefix, target = math.inf, end - 1, 0, 0
        for start in range(end - 1, -1, -1):
            prefix, target = max(prefix, prefixes[start]), max(target, targets[start])
            padded = (end - start) * (prefix + target)
            if padded > most and end - start > 1:
                break
            if best[start] + padded < cheapest:
                cheapest, start_of_cheapest = best[start] + padded, start
        best.append(cheapest + most / GROUP_OVERHEAD)
        cut.append(start_of_cheapest)
    groups: list[list[int]] = []
    end = len(order)
    while end:
        groups.append(order[cut[end] : end])
        end = cut[end]
    return groups[::-1]


def each_group(
    groups: Sequence[list[int]], compute: Callable[[list[int]], Computed]
) -> Iterator[tuple[list[int], Computed]]:
    """Compute every group; one that does not fit the device's memory is halved and tried again.

    Returns:  (group, what ``compute`` returned for it), the groups in order, halves in their whole's place
    Raises:   torch.OutOfMemoryError if a single row does not fit
    """
    pending = deque(groups)
    while pending:
        group, computed = pending.popleft(), None
        try:
            computed = compute(group)
        except torch.OutOfMemoryError:
            if len(group) == 1:
                raise
        if computed is not None:
            yield group, computed
            continue
        # only here, where the exception and the tensors that its traceback holds are gone, can memory be given back
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
        middle = len(group) // 2
        pending.extendleft([group[middle:], group[:middle]])


def for_each_row(rows: Sequence[Row], K: int, compute: Callable[[list[int]], Sequence[Computed]]) -> list[Computed]:
    """What is computed for rows, in groups of similar length, in the order of the rows; never by compiled blocks.

    Args:     compute  is handed a group of row indices and returns something for each
    """
    computed: dict[int, Computed] = {}
    with torch.compiler.set_stance("force_eager"):
        for group, found in each_group(groups_by_length(rows, K), compute):
            computed |= zip(group, found, strict=True)
    return [computed[index] for index in range(len(rows))]
