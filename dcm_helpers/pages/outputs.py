"""What a cell put out, in the best form that needs no kernel, as HTML."""

import base64
import html
import re
from collections.abc import Callable

import nbformat
from nbconvert.filters import strip_ansi

from dcm_helpers.files import finite
from dcm_helpers.markup import escaped, script_data
from dcm_helpers.show import PLOTLY

WIDGET = "application/vnd.jupyter.widget-view+json"
LONG_TEXT = 25
"""Lines of text that are shown at once; longer texts are folded."""
SHORT_TEXT = 24
"""Letters of a table's text that is not broken into lines."""
TITLE_ROOM = 32
"""Pixels at the top of a figure that its title took, which stands above it as text."""
TABLE = re.compile(
    r"(?P<script><script\b.*?</script>)|<style scoped>.*?</style>|(?P<table><table\b.*?</table>)", re.DOTALL
)
"""A table; a script, which is left alone; or what pandas has to say about alignment, which the style sheet says."""
ROW = re.compile(r"<tr\b[^>]*>.*?</tr>", re.DOTALL)
CELL = re.compile(r"<(?P<kind>t[hd])\b(?P<attributes>[^>]*)>(?P<text>.*?)</(?P=kind)>", re.DOTALL)
NUMBER = re.compile(r"[-+−±]?(\d[\d,. ]*|\.\d+)(e[-+]?\d+)?( ?%)?|[-+]?(nan|inf)|None|-|–|\.\.\.|", re.IGNORECASE)


def output_html(output: nbformat.NotebookNode) -> str:
    """One output as HTML; empty for a widget that has no other form.

    The text beside a lonely widget is its constructor's, which tells nobody anything.
    """
    if output.output_type == "stream":
        return text_html(output.text, f"dcm-text dcm-{output.name}")
    if output.output_type == "error":
        return text_html("\n".join(output.traceback) or f"{output.ename}: {output.evalue}", "dcm-text dcm-error", 60)
    data = output.get("data", {})
    if WIDGET in data and set(data) <= {WIDGET, "text/plain"}:
        return ""
    form = next((form for form in FORMS if form in data), None)
    return FORMS[form](data[form]) if form else ""


def text_html(text: str, kind: str = "dcm-text", lines: int = LONG_TEXT) -> str:
    """Text as it is, without the colors of terminals; folded where it has more lines than ``lines``."""
    text = strip_ansi(text).rstrip("\n")
    block = f'<pre class="{kind}">{escaped(text)}</pre>'
    count = text.count("\n") + 1
    return block if count <= lines else f"<details><summary>{count} lines of text</summary>{block}</details>"


def figure_html(figure: dict) -> str:
    """A plotly figure: its title as text above a place that the page's script draws in."""
    layout = dict(figure["layout"])
    title = layout.pop("title", {})
    text = title if isinstance(title, str) else title.get("text") or ""
    template = layout.get("template", {}).get("layout", {})
    for room in filter(None, (layout.get("margin"), template.get("margin"))):
        if text and room.get("t", 0) > TITLE_ROOM:
            layout["margin"] = {**layout.get("margin", {}), "t": room["t"] - TITLE_ROOM}
            break
    height = layout.get("height") or template.get("height") or 450
    # plotly reads markup in titles, so texts of the data come escaped
    caption = escaped(html.unescape(re.sub(r"<[^>]*>", " ", text)))
    drawn = {"data": figure["data"], "layout": layout, "frames": figure.get("frames", [])}
    return (
        f'<figure class="dcm-figure">{f"<figcaption>{caption}</figcaption>" if caption else ""}'
        f'<div class="dcm-plot" style="height: {height}px"></div>'
        f'<script type="application/json">{script_data(finite(drawn))}</script></figure>'
    )


def image_html(kind: str) -> Callable[[str], str]:
    """What turns an image, as notebooks keep it, into an element."""

    def made(data: str) -> str:
        return f'<img alt="" src="data:{kind};base64,{"".join(data.split())}">'

    return made


def drawing_html(source: str) -> str:
    """An SVG drawing, as an image, so that its names and styles stay its own."""
    return image_html("image/svg+xml")(base64.b64encode(source.encode()).decode())


def tables_aligned(source: str) -> str:
    """HTML with every table in a box that scrolls by itself, its columns marked by what is in them."""

    def boxed(match: re.Match) -> str:
        table = f'<div class="dcm-scroll">{table_aligned(match["table"])}</div>' if match["table"] else ""
        return match["script"] or table

    return TABLE.sub(boxed, source)


def table_aligned(table: str) -> str:
    """A table whose columns of numbers have the class ``dcm-number``, and those of short texts ``dcm-short``.

    Columns are counted from the right: what spans several rows stands on the left.
    """
    rows = [CELL.findall(row) for row in ROW.findall(table)]
    classes = {}
    for column in range(1, 1 + max(map(len, rows), default=0)):
        texts = [
            html.unescape(re.sub(r"<[^>]*>", "", row[-column][2])).strip()
            for row in rows
            if len(row) >= column and any(kind == "td" for kind, _, _ in row)
        ]
        if any(re.search(r"\d", text) for text in texts) and all(map(NUMBER.fullmatch, texts)):
            classes[column] = "dcm-number"
        elif all(len(text) <= SHORT_TEXT for text in texts):
            classes[column] = "dcm-short"

    def marked(row: re.Match) -> str:
        places = iter(range(len(CELL.findall(row[0])), 0, -1))
        return CELL.sub(lambda cell: with_class(cell[0], classes.get(next(places))), row[0])

    return ROW.sub(lambda row: row[0] if "colspan" in row[0] else marked(row), table)


def with_class(cell: str, name: str | None) -> str:
    """A table's cell with a class, beside those that it has."""
    tag, rest = cell.split(">", 1)
    if name is None:
        return cell
    if 'class="' in tag:
        return tag.replace('class="', f'class="{name} ', 1) + ">" + rest
    return f'{tag} class="{name}">{rest}'


FORMS: dict[str, Callable[[object], str]] = {
    PLOTLY: figure_html,
    "text/html": tables_aligned,
    "image/svg+xml": drawing_html,
    "image/png": image_html("image/png"),
    "image/jpeg": image_html("image/jpeg"),
    "text/plain": text_html,
}
"""By MIME type, the best first: what turns the data of an output into HTML."""
