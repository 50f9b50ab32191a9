"""What is to be found: a problem is one content and the views, hence the targets, that it must serve."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dcm_helpers.config import MODES, Kind, Weighting
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.pairs import Pair
from dcm_helpers.shapes import Content, Float, Tensor


@dataclass(frozen=True)
class View:
    """One target that a content must serve, and what stands around the content when it is asked for."""

    mode: str | None
    """The mode word, such as 'Q'; None in the single-target diagnostic."""
    target_text: str
    target_ids: tuple[int, ...]
    """Token ids of the target; EOS is the last, but where a text is only to be begun."""
    mode_ids: tuple[int, ...] = ()
    given_text: str = ""
    given_ids: tuple[int, ...] = ()
    kind: str = ""
    """What the target is of its pair: 'question' or 'answer'; '' where it is neither."""
    oracle_ids: tuple[int, ...] = ()
    """Token ids of a prompt that tells what the target is about, for what compares predictions with those after it."""
    weight: float = 1.0
    """What its loss counts beside that of the problem's other views."""

    def __post_init__(self):
        require(0 < self.weight < math.inf, f"the weight of a view is {self.weight}; expected a number above 0")

    @property
    def name(self) -> str:
        """What the view is called in tables and figures: its mode, or 'alone'."""
        return self.mode or "alone"

    def is_written(self, ids: Sequence[int]) -> bool:
        """Whether what was decoded, EOS included, is the target; after a target without EOS anything may follow."""
        return tuple(ids[: len(self.target_ids)]) == self.target_ids

    @classmethod
    def of(cls, generator: Generator, target: str, mode: str | None = None, given: str = "", kind: str = "") -> "View":
        """A view of a target text, tokenized by the Generator's conventions.

        Raises:   InputError if the text can never be written exactly
        """
        reason = generator.why_unwritable(target)
        require(not reason, f"{generator.name} cannot write this target: {reason}; use another text or Generator")
        return cls(
            mode=mode,
            target_text=target,
            target_ids=generator.target_ids(target),
            mode_ids=(generator.mode_id(mode),) if mode is not None else (),
            given_text=given,
            given_ids=generator.text_ids(given) if given else (),
            kind=kind,
        )


@dataclass(frozen=True)
class Problem:
    """One content to be found, and the views that it must serve."""

    id: str
    """Unique within a run; initializations are seeded from it."""
    views: tuple[View, ...]
    pair: str = ""
    """Id of the pair that the problem was made of."""
    kind: str = "joint"
    """Which texts its content serves: 'question' or 'answer' alone, or 'joint'."""
    restart: int = 0
    """Of several problems that differ only in where they start: which one, counted from 0."""
    variant: str = ""
    """How its texts differ from the pair's own, such as 'mismatched'; '' where they do not."""
    initial: Content | None = None
    """Where every restart begins, in place of a random initialization."""
    meaning: Float[Tensor, " E"] | None = None
    """An embedding of its texts, of unit length, for the term that compares problems."""

    def __post_init__(self):
        require(len(self.views) > 0, f"problem {self.id!r} has no views; a content needs at least one target")

    def view(self, kind: Kind) -> View:
        """The view whose target is the pair's text of a kind."""
        return next(view for view in self.views if view.kind == kind)


def problem_id(pair: str, kind: str) -> str:
    """The id of a problem made of a pair. It seeds starts; what a problem is stands in its fields, never in its id."""
    return f"{pair}/{kind}"


def single_problems(generator: Generator, pairs: Sequence[Pair]) -> list[Problem]:
    """Two problems a pair, the question alone and the answer alone, without a mode."""
    return [
        Problem(
            id=problem_id(pair.id, kind),
            views=(View.of(generator, pair.text(kind), kind=kind),),
            pair=pair.id,
            kind=kind,
        )
        for pair in pairs
        for kind in MODES.values()
    ]


def mode_ids(generator: Generator, modes: Mapping[str, Kind] = MODES) -> dict[str, int]:
    """The token ids of mode words."""
    return {mode: generator.mode_id(mode) for mode in modes}


def joint_problems(generator: Generator, pairs: Sequence[Pair], modes: Mapping[str, Kind] = MODES) -> list[Problem]:
    """One problem a pair: all its texts from one content, each asked for by its mode.

    Args:     modes  by mode word, the kind of text that it asks for
    Raises:   InputError if two modes are one token, since from one STM greedy decoding writes one text
    """
    ids = mode_ids(generator, modes)
    require(
        len(set(ids.values())) == len(ids),
        f"the mode words {' and '.join(map(repr, ids))} are one token for {generator.name}, which could not tell "
        "question from answer; use other words for --mode-tokens",
    )
    return [
        Problem(
            id=problem_id(pair.id, "joint"),
            views=tuple(View.of(generator, pair.text(kind), mode, kind=kind) for mode, kind in modes.items()),
            pair=pair.id,
        )
        for pair in pairs
    ]


def view_weights(problem: Problem, weighting: Weighting) -> list[float]:
    """What each view's loss is multiplied by before gradients are taken; the mean over views is 1."""
    pulls = [view.weight * (1 if weighting == "view" else len(view.target_ids)) for view in problem.views]
    return [len(pulls) * pull / sum(pulls) for pull in pulls]
