"""Contents that match the whole context: divergence against the Generator's own predictions, and what is found."""

import pandas as pd
import pytest
import torch
from stand_ins import Told

from dcm_helpers.generator import token_rows
from dcm_helpers.look import from_oracle
from dcm_helpers.remedies.oracle import same_point_or_behavior
from dcm_helpers.stm import joint_problems, with_oracle


def test_divergence_is_that_of_plain_predictions(tiny64, pairs):
    (joint,) = joint_problems(tiny64, pairs[:1])
    view = with_oracle(tiny64, joint, pairs[0]).view("answer")
    contents = token_rows(tiny64, 6, torch.Generator().manual_seed(0)).view(2, 3, -1)

    def predictions(row):
        return tiny64.model(inputs_embeds=row[None]).logits[0, -len(view.target_ids) - 1 : -1].log_softmax(-1)

    target = tiny64.embed(torch.tensor(view.target_ids))
    told = predictions(torch.cat([tiny64.embed(torch.tensor(view.oracle_ids)), target]))
    mode = tiny64.embed(torch.tensor([*tiny64.bos_ids, *view.mode_ids]))
    for found, content in zip(from_oracle(tiny64, view, contents), contents, strict=True):
        plain = predictions(torch.cat([mode, content.to(mode), target]))
        assert found == pytest.approx((told.exp() * (told - plain)).sum(1).mean().item(), rel=1e-4)


@pytest.mark.parametrize(
    ("distance", "said"),
    [(0.1, "nearer to it than another that does"), (0.2, "not shown"), (1.4, "farther from it than another that does")],
)
@pytest.mark.parametrize(
    ("first", "likelier"),
    [
        (0.1, "likelier"),
        (-2.0, "than after the surest one: likelier; than after its first exact one: less likely"),
        (-0.945, "than after the surest one: likelier; than after its first exact one: not shown"),
    ],
)
def test_one_that_writes_the_answer_or_another(distance, said, first, likelier):
    """Two that write the answer lie apart, too; and one that is less sure of it makes other wordings likelier."""
    count = 12
    wobble = [0.01 * index for index in range(count)]
    table = pd.DataFrame(
        {
            "pair": [f"pair {index}" for index in range(count)],
            "distance": [distance + each for each in wobble],
            "travel": 1.0,
            "null": [0.2 + each for each in reversed(wobble)],
            **{f"{which}_exact": True for which in ("distilled", "written")},
            **{f"{which}_nats": 1.0 for which in ("distilled", "written", "first")},
            "first_unseen": first,
            "oracle_exact": False,
            "oracle_nats": 20.0,
            "distilled_diverges": [0.1 + each for each in wobble],
            "written_diverges": [0.4 + 2 * each for each in wobble],
            "distilled_unseen": [-1.0 + each for each in wobble],
            "written_unseen": [0.5 - each for each in wobble],
        }
    )
    point, unseen = same_point_or_behavior(Told(table))
    assert point.answer.answer == said and unseen.answer.answer == likelier
    assert unseen.answer.p < 0.05, "of what is said"
    (closer,) = [each for each in point.control if each.name.startswith("divergence")]
    assert closer.value.high < 1
