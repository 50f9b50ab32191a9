"""True and exchanged pairs: ratios that were put into the steps come out, whatever is hard about the texts."""

import numpy as np
import pytest
from stand_ins import Told, problems, values_of

from dcm_helpers.controls.sharing import crossed, crossed_steps, slower_half, split
from dcm_helpers.errors import InputError

COUNT, EXCHANGES = 12, 3


def study(own, halves=None, spread=0.0):
    """Steps of twelve questions with their own answers and those of three others, times ``own`` where they belong."""
    random = np.random.default_rng(0)
    hard, long = np.exp(random.normal(0, 0.4, (2, COUNT)))
    found, records = {}, {}
    for turn in range(EXCHANGES + 1):
        part = f"exact-others{turn}-K8" if turn else "exact-K8"
        answers = [(index + turn) % COUNT for index in range(COUNT)]
        noise = np.exp(random.normal(0, spread, COUNT))
        steps = [200 * hard[q] * long[a] * (1 if turn else own) * noise[q] - 1 for q, a in enumerate(answers)]
        found[part] = problems(steps)
        records[part] = [
            {"problem": name, "views": [{"target_ids": [1, q]}, {"target_ids": [2, a]}]}
            for name, q, a in zip(found[part].index, range(COUNT), answers, strict=True)
        ]
    texts = [[kind, number] for kind in (1, 2) for number in range(COUNT)]
    found["confident-alone-K4"] = problems(
        halves or [9.0] * len(texts), [f"text-{index}" for index in range(len(texts))]
    )
    records["confident-alone-K4"] = [
        {"problem": name, "views": [{"target_ids": ids}]}
        for name, ids in zip(found["confident-alone-K4"].index, texts, strict=True)
    ]
    return Told(problems=found, records=records, exchanges=EXCHANGES)


@pytest.mark.parametrize(("own", "says"), [(0.8, "fewer steps"), (1.0, "not shown"), (1.25, "more steps")])
def test_the_ratio_of_true_pairs_comes_out(own, says):
    (found,) = crossed(8)(study(own, spread=0.02))
    assert found.figure[0].value.value == pytest.approx(own, rel=0.03) and found.answer.answer == says
    known = values_of(found)
    assert (known["p with ranks in place of logarithms:"] < 0.05) == (says != "not shown")
    assert known["answers of others for each question:"] == EXCHANGES and known["reconstructed"] == (1, 1)


def test_what_one_content_saves_over_halves_is_the_interaction():
    """Halves that take ten steps each, and a content for both that takes a fifth fewer where texts belong together."""
    (found,) = split(8)(study(0.8, spread=0.02))
    assert found.figure[0].value.value == pytest.approx(0.8, rel=0.03) and found.answer.answer == "yes"


def test_the_slower_half_is_the_slower_of_both_and_none_may_be_missing():
    halves = [*range(10, 10 + COUNT), *range(40, 40 - COUNT, -1)]
    made = study(1.0, halves)
    table = crossed_steps(made, 8)
    slower = slower_half(made, 8, table)
    assert slower[table["own"]].tolist() == [max(10 + index, 40 - index) for index in range(COUNT)]
    made.made["confident-alone-K4"] = made.made["confident-alone-K4"][1:]
    with pytest.raises(InputError, match="confident-alone-K4 lacks"):
        slower_half(made, 8, table)
