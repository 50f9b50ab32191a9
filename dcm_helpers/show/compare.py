"""Several runs side by side: what they share, what differs in their settings, and the figures that decide."""

import textwrap
from collections.abc import Sequence

from dcm_helpers.markup import printable
from dcm_helpers.runs import summarize
from dcm_helpers.show.commands import default_settings, settings_of
from dcm_helpers.show.summary import number
from dcm_helpers.store import RunFolder

ALWAYS = ("Generator", "dtype", "pairs", "K", "lr", "stop rule", "seed")
"""Settings that are told whatever they are; the others where they differ, or are not at their default."""
NONE = "-"
INDENT = "  "
CAPTION = (
    "Rates are count/n with a 95 % Wilson interval in %.",
    "Steps to exact: updates before the first exact content (reconstructed pairs).",
)


def comparison(folders: Sequence[RunFolder], width: int) -> str:
    """Runs side by side as text: what is equal in all is told once above, and each run has a row.

    Args:     width  of the terminal, in characters: names stand behind the figures where they fit, else above them, and
              so do settings
    """
    names = [printable(folder.path.resolve().name) for folder in folders]
    settings = [settings_row(folder) for folder in folders]
    default = {label(name): str(value) for name, value in default_settings().items()} | {"terms": NONE}
    differ = [name for name in settings[0] if len({row[name] for row in settings}) > 1]
    equal = {name: value for name, value in settings[0].items() if name not in differ}
    told = [f"{name} {value}" for name, value in equal.items() if name in ALWAYS or value != default[name]]
    figures = [figures_row(folder) for folder in folders]
    figures = [{name: row[name] for name in row if any(each[name] != NONE for each in figures)} for row in figures]
    differing = [{name: row[name] for name in differ} for row in settings]
    head, *rows = aligned([{**one, **other} for one, other in zip(differing, figures, strict=True)])
    if max(map(len, head)) + len(INDENT) > width:
        head, *rows = aligned(figures)
        names = [
            ": ".join([name, ", ".join(f"{setting}={value}" for setting, value in row.items())])
            for name, row in zip(names, differing, strict=True)
        ]
    if max(len(row[0]) + 2 + len(name) for row, name in zip(rows, names, strict=True)) <= width:
        lines = [*head[:-1], f"{head[-1]}  run", *(f"{row[0]}  {name}" for row, name in zip(rows, names, strict=True))]
    else:
        lines = [INDENT + each for each in head]
        lines += [each for row, name in zip(rows, names, strict=True) for each in (name, INDENT + row[0])]
    shared = textwrap.wrap(f"Equal in all runs: {', '.join(told)}", width, subsequent_indent=INDENT) if told else []
    return "\n".join([*shared, "", *map(str.rstrip, lines), "", *CAPTION])


def label(name: str) -> str:
    """A setting's name in a table."""
    return name.replace("_", " ")


def settings_row(folder: RunFolder) -> dict[str, str]:
    """By name, the settings of a run that can tell its figures from another's."""
    manifest = folder.manifest
    settings = settings_of(manifest["identity"])
    for name in ("model", "dataset", "num_examples"):  # told by what was loaded
        del settings[name]
    settings["terms"] = " ".join(f"{name}={value:g}" for name, value in settings["terms"]) or NONE
    row = {
        "Generator": manifest["generator"]["name"],
        "dtype": settings.pop("dtype"),
        "layers": settings.pop("layers"),
        "pairs": f"{manifest['data']['pairs']} from {manifest['data']['source']}",
        **{label(name): value for name, value in settings.items()},
    }
    return {name: printable(str(value)) for name, value in row.items()}


def figures_row(folder: RunFolder) -> dict[str, str]:
    """The figures of a run by their heads, whose lines are lines of the table's head; NONE where it has none."""
    summary = summarize(folder)
    one, two, three = (summary[f"stage{number}"] for number in (1, 2, 3))
    open_ones = sum(stage["expected"] - stage["reconstructed"]["n"] for stage in (one, two) if stage)
    open_ones += three["expected"] - three["pass"]["n"] if three and not three["complete"] else 0
    return {
        "not\nended": str(open_ones) if open_ones else NONE,
        "stage 1\nreconstructed": rate_text(one and one["reconstructed"]),
        "stage 2\nreconstructed": rate_text(two and two["reconstructed"]),
        "median\nsteps to\nexact": number(two and two["steps_to_exact"]["median"], 1),
        "stage 2\nconverged": rate_text(two and two["converged"]),
        "stage 3\npass": rate_text(three and three["pass"]),
        "\ntier": (two["tier"] or "none") if two and two["complete"] else NONE,
    }


def rate_text(rate: dict | None) -> str:
    """A rate in few characters: '14/16 64-97'."""
    if not rate or not rate["n"]:
        return NONE
    return f"{rate['count']}/{rate['n']} {100 * rate['low']:.0f}-{100 * rate['high']:.0f}"


def aligned(rows: Sequence[dict[str, str]]) -> list[list[str]]:
    """Rows as lines of equal width, numbers to the right, below their heads.

    Returns:  the lines of the head, then the one line of each row
    """
    columns = []
    for name in rows[0]:
        cells = [row[name] for row in rows]
        head = name.split("\n")
        side = str.rjust if all(cell.replace(".", "").isdigit() or cell == NONE for cell in cells) else str.ljust
        size = max(map(len, [*head, *cells]))
        columns.append([[side(text, size) for text in [""] * (3 - len(head)) + head], [side(c, size) for c in cells]])
    head = ["  ".join(column[0][index] for column in columns) for index in range(3)]
    return [
        [line for line in head if line.strip()] or [""],
        *(["  ".join(column[1][index] for column in columns)] for index in range(len(rows))),
    ]
