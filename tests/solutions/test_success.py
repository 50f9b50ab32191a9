"""Success: information gain in bits, and what steps go with, on texts of known cost."""

import math

import numpy as np
import pandas as pd
import pytest
from stand_ins import Told, problems, values_of

from dcm_helpers.solutions.success import how_often


def test_gain_is_counted_over_both_texts_in_bits():
    count = 20
    of = problems(list(range(10, 10 + count)), reconstructed=[True] * 19 + [False])
    texts = pd.DataFrame(
        {
            "pair": np.repeat(of["pair"].to_numpy(), 2),
            "view": ["Q", "A"] * count,
            "topic": np.repeat(["a", "b"], count),
            "question_type": np.repeat(["what", "who"] * 10, 2),
            "tokens": 5,
            "nats_without": np.repeat(np.arange(count) + 10.0, 2),
            "nats_with": 1.0,
            "nats_context": 4.0,
            "prompt_tokens": 60,
        }
    )
    success, steps, gain, context = how_often(Told(texts, {"base": of}))
    assert success.figure[0].value.value == 0.95 and success.answer.answer == "for most pairs"
    assert "lowest group: topic b," in values_of(success)
    assert steps.figure[0].value.value == pytest.approx(1), "what costs more takes more steps here"
    assert gain.figure[0].value.value == pytest.approx((2 * 19.5 - 2) / math.log(2))
    assert gain.control[0].value.value == pytest.approx((2 * 19.5 - 8) / math.log(2))
    more = problems([5.0] * 40, reconstructed=[True] * 40)
    grown, *_ = how_often(Told(texts, {"base": of, "exact-K8": more}))
    assert grown.figure[0].value.n == 40 and grown.answer.answer == "yes", "of both parts the one with more pairs"
    assert context.figure[0].value.value == pytest.approx(2) and values_of(context)[
        "after prompts with the context"
    ].value == pytest.approx(8)
