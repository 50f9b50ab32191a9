"""A task-level prompt in the content's place: who is not below it is named."""

import pandas as pd
from stand_ins import Told

from dcm_helpers.controls.task import instance_below_task


def test_violators_are_named():
    table = pd.DataFrame({"pair": list("abcd"), "instance": [0.1, 0.2, 0.3, 0.1], "task": [1.0, 1.0, 0.3, 2.0]})
    table = table.assign(start=3.0, question=4.0, seen=0.9)
    (found,) = instance_below_task(Told(table))
    assert found.figure[0].value.value == 0.75 and found.answer.answer == "not always"
    assert any("not below: c" in quantity.name for quantity in found.control)
    (all_below,) = instance_below_task(Told(table[table["pair"] != "c"]))
    assert all_below.answer.answer == "yes"
