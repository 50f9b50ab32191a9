"""Pairs of a small world without end: a passage says what some people have, and one of them is asked about.

Who has what is drawn anew for every pair, so that nothing can be known but from its passage.
"""

import torch

from dcm_helpers.errors import require
from dcm_helpers.pairs.pair import Pair
from dcm_helpers.seeds import seeded

PEOPLE = (  # noqa: SIM905 - a word a line would be three screens
    "Adam Alan Alex Alice Amy Andrew Anna Anne Arthur Barbara Ben Betty Bill Bob Brian Carl Carol Charles Chris Clara "
    "Daniel David Diana Donald Edward Elena Emily Emma Eric Eva Frank Fred George Grace Hannah Harry Helen Henry Ian "
    "Jack James Jane Jason Jim Joe John Julia Karen Kate Kevin Laura Linda Lisa Louis Lucy Marco Maria Mark Martin "
    "Mary Max Michael Mike Nancy Nick Oliver Oscar Paul Peter Philip Rachel Ray Richard Robert Roger Rose Ruth Sam "
    "Sara Scott Simon Sophie Stephen Steve Susan Thomas Tim Tom Tony Victor Walter William"
).split()
THINGS = (  # noqa: SIM905 - a word a line would be three screens
    "apple bag ball basket bed bell belt bike boat book bottle bowl box bread brush bucket button cake camera candle "
    "car card chair clock coat coin cup desk doll door dress drum egg fan fish flag flower fork glass guitar hammer "
    "hat helmet horse jar key kite knife ladder lamp leaf lemon letter lock map mask medal mirror mouse needle net "
    "onion orange oven paper pen pencil phone piano pillow pipe plate pot potato purse radio ring robot rope ruler "
    "scarf shell ship shirt shoe snake soap sock spoon stamp stone sword table tent ticket towel toy tree truck "
    "violin wallet watch wheel window"
).split()
MOST = len(PEOPLE)


def make_fact(number: int, facts: int, seed: int | str = 0) -> Pair:
    """The pair of a number: so many facts, and a question about one of them.

    Raises:   InputError if there are not so many people
    """
    require(1 <= facts <= MOST, f"facts is {facts}; expected a number from 1 to {MOST}")
    random = seeded("facts", seed, facts, number)
    people = [PEOPLE[place] for place in torch.randperm(len(PEOPLE), generator=random)[:facts]]
    things = [THINGS[place] for place in torch.randint(len(THINGS), (facts,), generator=random)]
    asked = int(torch.randint(facts, (1,), generator=random))
    return Pair(
        id=f"facts-{facts}-{seed}-{number}",
        question=f"What does {people[asked]} have?",
        answer=things[asked],
        context=" ".join(f"{person} has a {thing}." for person, thing in zip(people, things, strict=True)),
        topic=people[asked],
        question_type="what",
    )
