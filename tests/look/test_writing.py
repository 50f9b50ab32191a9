"""What is written from a content."""

import pytest

from dcm_helpers.look import written_tokens


def test_written_tokens_spell_the_decoded_text(example):
    each = example.solutions[0]
    tokens = written_tokens(example.generator, each.problem, each.content)
    for view in each.record["views"]:
        of_view = tokens[tokens["view"] == view["mode"]]
        assert list(of_view["position"]) == list(range(1, len(view["decoded_ids"]) + 1))
        spelled = "".join(of_view["token"]).replace("␣", " ").replace("⏎", "")
        assert spelled == view["decoded_text"]
        assert of_view["probability"].min() == pytest.approx(view["min_p"], rel=1e-2)
