"""Texts of the data made fit to be shown: on one line, in HTML, in a figure's label, in a terminal."""

import html
import json
import unicodedata

TEXT_LIMIT = 60
AS_IT_IS = "mathjax_ignore tex2jax_ignore"
"""Classes of HTML in which JupyterLab and its exports take dollar signs for money, not for mathematics."""


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """A text on one line, cut to a length; white space alone is spelled out."""
    text = " ".join(text.split()) or repr(text).strip("'")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def harmless(text: str) -> str:
    """A text without signs that change how others are shown: controls and overrides of direction are spelled."""
    return "".join(sign if sign in "\n\t" or not is_control(sign) else spelled(sign) for sign in text)


def is_control(sign: str) -> bool:
    """Whether a sign is a control, a separator of lines, or an override or isolation of direction."""
    return (
        unicodedata.category(sign) in ("Cc", "Zl", "Zp") or "\u202a" <= sign <= "\u202e" or "\u2066" <= sign <= "\u2069"
    )


def half_a_character(text: str) -> str | None:
    """The first half of a character (lone surrogate) in a text, which no file and no tokenizer takes; None without."""
    return next((sign for sign in text if "\ud800" <= sign <= "\udfff"), None)


def spelled(sign: str) -> str:
    """A sign as its escape."""
    return sign.encode("unicode_escape").decode()


def escaped(text: str) -> str:
    """A text for HTML, inside an element or an attribute."""
    return html.escape(harmless(str(text)))


def script_data(value: object) -> str:
    """JSON that can stand in a script element, as data or in the script: no text in it ends the element.

    Raises:   ValueError for NaN and infinities, which JSON does not have
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def label(text: str, limit: int = TEXT_LIMIT) -> str:
    """A text for a title, a name or a hover of a figure: plotly reads tags there, and mathematics between dollars."""
    return html.escape(shortened(harmless(str(text)), limit), quote=False).replace("$", "&#36;")


def printable(text: str) -> str:
    """A text on one line that does nothing to a terminal: whatever does not print, line ends included, is spelled."""
    return "".join(sign if sign.isprintable() else spelled(sign) for sign in text)
