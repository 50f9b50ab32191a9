"""Tables for readers: what they show is what they hold."""

import pandas as pd

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
