"""The families of targets: ways of making them, each with a name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

REFINED_STEPS = 10
"""Steps that a content may move away from what was predicted for it."""
HELD = 0.25
"""Share of the articles, or topics, that is held out."""


@dataclass(frozen=True)
class Family:
    """A way of making targets."""

    name: str
    what: str
    """In a few words."""
    optimizer: Mapping = field(default_factory=dict)
    """Settings of the optimization that differ from the first family's."""
    phrasings: bool = False
    """Whether one content serves all phrasings of a pair but the held-out one."""
    subspace: bool = False
    """Whether all contents move in directions that were learned, together with contents, from what is not held out."""
    after: str = ""
    """The family whose contents are predicted from conditions, so that each begins at its prediction."""


NEAR = {"start": "shared", "terms": (("travel", 0.01), ("noise", 0.05))}
LEARNED = {"start": "learned"}
REFINED = {**LEARNED, "num_steps": REFINED_STEPS}
FAMILIES = {
    family.name: family
    for family in (
        Family("apart", "each from random tokens of its own", {"start": "tokens"}),
        Family("shared", "all from the same random tokens", {"start": "shared"}),
        Family("near", "all from the same, drawn back to it, noise on slots", NEAR),
        Family("learned", "all from a start that was learned", LEARNED),
        Family("subspace", "all from a learned start, in a few directions that were learned", LEARNED, subspace=True),
        Family("refined-1", "a few steps from what 'learned' predicts", REFINED, after="learned"),
        Family("refined-2", "a few steps from what 'refined-1' predicts", REFINED, after="refined-1"),
        Family("refined-3", "a few steps from what 'refined-2' predicts", REFINED, after="refined-2"),
        Family("phrasings", "all from a learned start, one content for several phrasings", LEARNED, phrasings=True),
    )
}
"""By name; each differs from another in one thing."""
