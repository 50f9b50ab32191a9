"""A task-level prompt in the content's place: who is not below it is named."""

import pandas as pd
from stand_ins import Told

from dcm_helpers.controls.task import instance_below_task


def test_violators_are_named():
    """It is judged after content*; what first exact contents do stands beside it."""
    table = pd.DataFrame({"pair": list("abcd"), "first": [0.1, 0.2, 0.3, 0.1], "task": [1.0, 1.0, 0.3, 2.0]})
    table = table.assign(start=3.0, question=4.0, seen=0.9)

    def base(**losses):
        return {"base": [{"pair": pair, "views": [{"kind": "answer", "loss": each}]} for pair, each in losses.items()]}

    (found,) = instance_below_task(Told(table, records=base(a=0.01, b=0.01, c=0.4)))
    assert found.figure[0].value.value == 2 / 3 and found.answer.answer == "not always"
    assert any("not below: c" in quantity.name for quantity in found.control)
    (all_below,) = instance_below_task(Told(table, records=base(a=0.01, b=0.01, c=0.01)))
    assert all_below.answer.answer == "yes"
    beside = next(each for each in all_below.control if "first exact" in each.name)
    assert beside.value.value == 0.75 and any("not so: c" in each.name for each in all_below.control)
