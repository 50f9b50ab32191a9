"""Tables for readers: text on the left, numbers with digits that mean something, and text that stays text."""

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from dcm_helpers.markup import AS_IT_IS, escaped

ROWS = 400
"""A longer table is cut here, and says so."""
STYLES = [
    {"selector": "th, td", "props": "text-align: left; vertical-align: top; padding: 3px 14px 3px 0; max-width: 46em"},
    {"selector": "caption", "props": "caption-side: bottom; text-align: left; opacity: 0.7"},
]


def table(frame: pd.DataFrame, digits: int = 3) -> Styler:
    """A table as it is shown: numbers to some significant digits, right-aligned; missing values as a dash.

    Texts are escaped, and dollar signs are money, wherever the table is shown.
    """
    shown = frame.head(ROWS).copy()
    if not shown.index.is_unique:
        shown = shown.reset_index()
    numeric = [name for name in shown.columns if pd.api.types.is_numeric_dtype(shown[name].dtype)]
    numeric = [name for name in numeric if not pd.api.types.is_bool_dtype(shown[name].dtype)]
    style = (
        Styler(shown, cell_ids=False, uuid_len=5)
        .format(lambda value: readable(value, digits))
        .format_index(escaped, axis=1)
    )
    style = style.format_index(lambda value: readable(value, digits), axis=0)
    if isinstance(shown.index, pd.RangeIndex):
        style = style.hide(axis="index")
    numbers = ", ".join(f"td.col{place}, th.col{place}" for place, name in enumerate(shown.columns) if name in numeric)
    styles = [*STYLES, {"selector": numbers, "props": "text-align: right"}] if numeric else STYLES
    style = style.set_table_attributes(f'class="dcm-table {AS_IT_IS}"').set_table_styles(styles)
    return style.set_caption(f"the first {ROWS} of {len(frame)} rows") if len(frame) > ROWS else style


def readable(value: object, digits: int = 3) -> str:
    """A value of a table as HTML: whole numbers whole, others to some significant digits, nothing as a dash."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.0f}" if value == round(value) or abs(value) >= 10**digits else f"{value:.{digits}g}"
    return escaped(value)
