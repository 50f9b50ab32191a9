"""Errors that quote what was given stay readable."""

from dcm_helpers.errors import InputError


def test_a_field_as_long_as_a_file_is_cut_in_the_middle():
    error = InputError(f"p.jsonl, line 3: field 'answer' is {'x' * 2 * 10**6!r}; expected text\nWay out: none")
    first, second = str(error).split("\n")
    assert first.startswith("p.jsonl, line 3: field 'answer' is") and first.endswith("expected text")
    assert len(first) < 700 and second == "Way out: none"
