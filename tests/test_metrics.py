"""SQuAD's metrics and the signs of degeneration on cases with known answers."""

import pytest

from dcm_helpers import metrics


@pytest.mark.parametrize(
    ("decoded", "target", "equal", "f1"),
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
def test_squad_metrics(decoded, target, equal, f1):
    assert metrics.exact_match(decoded, target) is equal
    assert metrics.f1(decoded, target) == pytest.approx(f1)


def test_key_information():
    assert metrics.contains_answer("It was the Eiffel Tower, built in 1889", "eiffel tower")
    assert not metrics.contains_answer("In 18890", "1889")
    assert not metrics.contains_answer("anything", "?!")


def test_degeneration():
    eos = 0
    assert metrics.degeneration([0], eos) == "empty"
    assert metrics.degeneration([5, 6] * 10 + [0], eos) == "repetition"
    assert metrics.degeneration([1, 2, 3, 4], eos) == "no_stop"
    assert metrics.degeneration([], eos) == "no_stop"
    assert metrics.degeneration([1, 2, 3, 0], eos) == ""
    assert metrics.repeated_share([1, 1, 1, 1, 1]) == pytest.approx(2 / 3)
