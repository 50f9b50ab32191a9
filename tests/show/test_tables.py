"""Tables for readers: what they show is what they hold."""

import pandas as pd

from dcm_helpers.markup import escaped, label, printable
from dcm_helpers.show import table
from dcm_helpers.show.tables import ROWS, readable


def test_numbers_are_readable_and_texts_stay_texts():
    frame = pd.DataFrame(
        {"text": ["<b>x</b> $5 or $6", "y"], "share": [0.123456, None], "count": [3, 12000], "right": [True, False]}
    )
    html = table(frame).to_html()
    assert "&lt;b&gt;x&lt;/b&gt; $5 or $6" in html and "mathjax_ignore" in html
    assert "0.123<" in html and ">12000<" in html and ">yes<" in html and ">no<" in html and "–" in html
    assert "<th" in html and ">0<" not in html, "row numbers say nothing"


def test_digits_mean_something():
    assert [readable(value) for value in (0.98765, 1234.5, 2.0, 1e-6, 7)] == ["0.988", "1234", "2", "1e-06", "7"]


def test_a_long_table_says_that_it_is_cut():
    assert f"first {ROWS} of 1000 rows" in table(pd.DataFrame({"x": range(1000)})).to_html()
    named = table(pd.DataFrame({"x": [1.0]}, index=["<i>row</i>"])).to_html()
    assert "&lt;i&gt;row" in named


def test_signs_that_change_how_others_are_shown_are_spelled():
    """Controls and overrides of direction, in HTML, in figures and in terminals; letters of any script stay."""
    hostile = "a\u202eb\x00c\u2028d"
    for made in (escaped(hostile), label(hostile), printable(hostile)):
        assert made == r"a\u202eb\x00c\u2028d"
    assert escaped("مرحبا שלום é 🙂") == "مرحبا שלום é 🙂"
