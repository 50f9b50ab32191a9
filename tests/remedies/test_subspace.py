"""Subspaces: what is told of steps with known ratios."""

import numpy as np
import pandas as pd
from stand_ins import Told

from dcm_helpers.remedies.subspace import what_is_shared


def test_what_helps_only_its_own_pairs_is_told():
    random, rows = np.random.default_rng(0), []
    for new, factor in ((True, 1.0), (False, 0.5)):
        base = random.gamma(20, 2, 24)
        for way, share in (("anywhere", 0.6), ("random", 1.0), ("learned", factor)):
            steps = base * share * np.exp(random.normal(0, 0.05, 24))
            rows.append(
                pd.DataFrame(
                    {
                        "pair": range(24),
                        "way": way,
                        "new": new,
                        "reconstructed": True,
                        "steps": steps,
                        "overlap": 0.5,
                        "first": 9.0,
                        "last": 1.0,
                    }
                )
            )
    study = Told(pd.concat(rows).assign(overlap=0.5, first=9.0, last=1.0))
    said = {each.answer.question: each.answer.answer for each in what_is_shared(study)}
    assert said["Is a learned subspace better than a random one, for pairs that it was learned from?"] == "yes"
    assert said["Is a learned subspace better than a random one, for new pairs?"] == "not shown"
