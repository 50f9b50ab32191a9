"""Equations of markdown as MathML, which browsers draw without a library."""

import re

from latex2mathml.converter import convert

MATH = re.compile(
    r"(?P<code>```.*?```|`[^`\n]*`)|\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$\n]+?)\$(?!\w)", re.DOTALL
)
"""Code, which is left alone, or an equation of its own, or one in the text."""
OPERATORS = re.compile(r"\\(arg|argmin|argmax)(?![a-zA-Z])")
"""Names that TeX writes upright, and the converter does not know."""


def to_mathml(tex: str, display: str) -> str:
    """An equation as MathML.

    Args:     tex  without its dollar signs;  display  'block' or 'inline'
    """
    return convert(OPERATORS.sub(r"\\operatorname{\1}", tex.strip()), display=display)


def without_math(source: str, equations: dict[str, str]) -> str:
    """Markdown with every equation replaced by a name that markdown leaves alone; the MathML goes to ``equations``."""

    def named(match: re.Match) -> str:
        if match["code"]:
            return match["code"]
        tex, display = (match["block"], "block") if match["block"] else (match["inline"], "inline")
        name = f"DCMEQUATION{len(equations):04d}X"
        equations[name] = to_mathml(tex, display)
        return name

    return MATH.sub(named, source)
