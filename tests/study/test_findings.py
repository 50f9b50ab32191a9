"""How findings follow from tables, on tables with known answers."""

import pandas as pd
import pytest

from dcm_helpers.stats import Estimate
from dcm_helpers.study.clusters import most_telling
from dcm_helpers.study.landscape import half_radius, radii
from dcm_helpers.study.transfer import likelier


def test_of_equal_p_the_features_farthest_from_chance_are_shown():
    bands = {"chance": 1.0, "low": 0.9, "high": 1.1, "p": 0.001}
    rows = [{"features": name, "value": value} | bands for name, value in (("a", 0.8), ("b", 0.5), ("c", 0.7))]
    found = most_telling(pd.DataFrame([*rows, {"features": "d", "value": 0.1} | bands | {"p": 0.01}]))
    assert found.text() == "0.5 in b (chance 0.9 to 1.1), p=0.004" and found.p == pytest.approx(0.004)
    assert most_telling(pd.DataFrame(rows).assign(value=float("nan"))) is None


def test_a_content_helps_a_paraphrase_only_if_having_none_is_worse():
    less, unsure, more = (Estimate(value, value - 1, value + 1, 9) for value in (-2, 0, 2))
    assert likelier(less, less) == "yes"
    assert likelier(less, more).endswith("than none does, no")
    assert likelier(less, unsure).endswith("than none does, not shown")
    assert likelier(unsure, less) == "not shown" and likelier(more, less) == "no, less likely"


def test_the_radius_at_which_half_is_lost():
    assert half_radius(pd.Series([1.0, 0.75, 0.25], index=[0.1, 0.2, 0.3])) == pytest.approx(0.25)
    assert half_radius(pd.Series([0.0], index=[0.1])) == pytest.approx(0.05), "all is kept at radius 0"
    assert half_radius(pd.Series([1.0, 1.0], index=[0.1, 0.2])) == 0.2
    two = pd.DataFrame(
        {"pair": list("aabb"), "radius": [0.1, 0.3] * 2, "teacher_forced_exact": [True, False, True, True]}
    )
    assert radii(two) == pytest.approx([0.2, 0.3])
