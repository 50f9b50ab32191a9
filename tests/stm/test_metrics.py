"""SQuAD's metrics and the signs of degeneration on cases with known answers."""

import pytest

from dcm_helpers.stm import contains_answer, degeneration, exact_match, f1, repeated_share


@pytest.mark.parametrize(
    ("decoded", "target", "equal", "overlap"),
    [
        ("The Eiffel Tower.", "eiffel tower", True, 1.0),
        ("Paris, France", "Paris", False, 2 / 3),
        ("London", "Paris", False, 0.0),
        ("", "", True, 1.0),
        ("the", "", True, 1.0),
        ("word", "", False, 0.0),
        ("to be or not to be", "to be", False, 2 * 2 / 8),
    ],
)
def test_squad_metrics(decoded, target, equal, overlap):
    assert exact_match(decoded, target) is equal
    assert f1(decoded, target) == pytest.approx(overlap)


def test_key_information():
    assert contains_answer("It was the Eiffel Tower, built in 1889", "eiffel tower")
    assert not contains_answer("In 18890", "1889")
    assert not contains_answer("anything", "?!")


def test_degeneration():
    eos = 0
    assert degeneration([0], eos) == "empty"
    assert degeneration([5, 6] * 10 + [0], eos) == "repetition"
    assert degeneration([1, 2, 3, 4], eos) == "no_stop"
    assert degeneration([], eos) == "no_stop"
    assert degeneration([1, 2, 3, 0], eos) == ""
    assert repeated_share([1, 1, 1, 1, 1]) == pytest.approx(2 / 3)
