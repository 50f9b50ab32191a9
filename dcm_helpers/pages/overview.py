"""What a run amounts to, as HTML: verdicts, settings, the figures that matter, and some of what was written.

Records and contents are read as they are stored; the Generator is not loaded.
"""

import json

import pandas as pd
import plotly.graph_objects as go

from dcm_helpers.explore import Points, clouds_of
from dcm_helpers.markup import escaped
from dcm_helpers.pages.outputs import figure_html, tables_aligned
from dcm_helpers.runs import Run, summarize
from dcm_helpers.show import cluster_map, distributions, percent, reconstructed_by_step, run_summary
from dcm_helpers.store import RunFolder

DECODED = 6
"""Pairs whose texts are shown; failures come first."""


def overview_html(folder: RunFolder) -> str:
    """Verdicts, figures, and texts that were written."""
    run = Run(folder)
    places, note = in_a_plane(run)
    figures = [figure for figure in (by_step(run), beside_baselines(run), places) if figure is not None]
    return (
        f'<div class="dcm-cards">{"".join(card(*each) for each in verdicts(summarize(folder)))}</div>'
        f'<div class="dcm-figures">{"".join(figure_html(json.loads(figure.to_json())) for figure in figures)}</div>'
        + (f'<p class="dcm-note">{escaped(note)}</p>' if note else "")
        + decoded_html(folder)
    )


def details_html(folder: RunFolder) -> str:
    """How the run was made, and all that it says, as text."""
    # the page goes to other people: where the run lies on this machine is none of its business
    text = run_summary(folder).replace(str(folder.path), folder.path.name)
    return (
        f"<h2>Settings</h2>{settings_html(folder.manifest)}<details><summary>The run in full, as text</summary>"
        f'<pre class="dcm-in-full">{escaped(text)}</pre></details>'
    )


def verdicts(summary: dict) -> list[tuple[str, str, str]]:
    """Of every stage that has records: its name, its rate, and what that means."""
    found = []
    if (stage := summary["stage1"]) is not None:
        passed = "gate passed" if stage["gate_passed"] else "gate not passed"
        found.append(("Stage 1, texts alone: reconstructed", percent(stage["reconstructed"]), so_far(stage, passed)))
    if (stage := summary["stage2"]) is not None:
        exactly = so_far(stage, "exactly, EOS included")
        found.append(("Stage 2, joint: reconstructed", percent(stage["reconstructed"]), exactly))
        found.append(("Stage 2, joint: converged", percent(stage["converged"]), so_far(stage, stage["verdict"])))
    if (stage := summary["stage3"]) is not None:
        bar = "bar reached" if stage["bar_passed"] else "bar not reached"
        found.append(("Stage 3, decoded: pass", percent(stage["pass"]), so_far(stage, bar)))
    return found


def so_far(stage: dict, meaning: str) -> str:
    """What a stage's rate means; of an incomplete one nothing yet, since easy problems end first."""
    return meaning if stage["complete"] else f"INCOMPLETE: of {stage['expected']}, the easy ones end first"


def card(name: str, figure: str, meaning: str) -> str:
    """One verdict as a card."""
    name, figure, meaning = (escaped(text) for text in (name, figure, meaning))
    counts, _, share = figure.partition(", ")
    return f'<div class="dcm-card"><h2>{name}</h2><strong>{counts}</strong>{share}<br>{meaning}</div>'


def settings_html(manifest: dict) -> str:
    """How the run was made, as a list of terms."""
    generator, optimizer, sessions = manifest["generator"], manifest["identity"]["optimizer"], manifest["sessions"]
    layers = manifest["identity"]["generator"].get("layers", "trained")
    seconds = sum(session["seconds"] for session in sessions)
    machines = {
        f"{', '.join(session['devices'])} ({session['threads']} threads)": None for session in sessions
    }  # each once, in order
    days = sorted({session["started"][:10] for session in sessions})
    settings = {
        "Generator": generator["name"] + ("" if layers == "trained" else f", layers {layers}"),
        "Precision": generator["dtype"],
        "Pairs": manifest["data"]["account"],
        "Slots K": optimizer["K"],
        "Learning rate": f"{optimizer['lr']:g}, {optimizer['schedule']}",
        "Stop rule": optimizer["stop_rule"],
        "Steps and restarts": f"at most {optimizer['num_steps']} and {optimizer['num_restarts']}",
        "Seed": f"{optimizer['seed']}; of the pairs {manifest['identity']['data']['data_seed']}",
        "Machine": "; ".join(machines),
        "Date": " to ".join(days[:: max(1, len(days) - 1)]),
        "Wall time": f"{seconds / 60:.1f} min in {len(sessions)} {'session' if len(sessions) == 1 else 'sessions'}",
        "Versions": ", ".join(f"{name} {number}" for name, number in manifest["versions"].items()),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escaped(str(value))}</dd>" for name, value in settings.items())
    return f'<dl class="dcm-settings">{rows}</dl>'


def by_step(run: Run) -> go.Figure | None:
    """Share of problems that were reconstructed after so many steps, of stages 1 and 2."""
    tables = [table for stage in (1, 2) if len(table := run.tables.problems(stage))]
    if not tables:
        return None
    return reconstructed_by_step(pd.concat(tables), "Share that is exact after so many steps")


def beside_baselines(run: Run) -> go.Figure | None:
    """Losses of each view of stage 2, beside those of its baselines; None without records."""
    table = run.tables.convergence()
    if not len(table):
        return None
    named = {"loss": "content"} | {name: name.replace("_", " ") for name in table.columns if name not in NO_LOSSES}
    kinds = [(f"{view}: {name}", group[column]) for view, group in table.groupby("view", sort=False)
             for column, name in named.items()]  # fmt: skip
    losses = pd.concat([values.dropna().to_frame("loss").assign(kind=kind) for kind, values in kinds])
    return distributions(losses, "loss", "Loss of contents and of baselines", "loss without EOS (nats per token)")


NO_LOSSES = {"pair", "view", "loss", "converged by"}
"""Columns of a table of convergence that are no baselines."""


def in_a_plane(run: Run) -> tuple[go.Figure | None, str]:
    """The contents of stage 2 in a plane, colored by topic; None where there are none.

    Returns:  the figure, and what there is to be said about it
    """
    if not run.records(2):
        return None, ""
    points = Points(clouds_of([run], starts=False))
    title = "Contents (mean of their slots) by topic"
    return cluster_map(points.table, title, "topic", points.places[1]), points.missing


def decoded_html(folder: RunFolder) -> str:
    """A few pairs: what was wanted and what was written, failures first; empty without joint records."""
    records = folder.records(3) or folder.records(2)
    chosen = sorted(records, key=lambda record: all(view["reconstructed"] for view in record["views"]))[:DECODED]
    if not chosen:
        return ""
    rows = "".join(
        f"<tr><td>{escaped(view['mode'])}</td><td>{escaped(view['target_text'])}</td>"
        f"<td>{escaped(view['decoded_text'])}</td>"
        f"<td>{'exactly' if view['reconstructed'] else '<b class=dcm-bad>not exactly</b>'}</td></tr>"
        for record in chosen
        for view in record["views"]
    )
    head = "<tr><th>mode</th><th>wanted</th><th>written</th><th>reconstructed</th></tr>"
    return (
        f"<details><summary>Wanted and written, {len(chosen)} of the run's {folder.manifest['data']['pairs']} pairs"
        "</summary>"
        f"{tables_aligned(f'<table><thead>{head}</thead><tbody>{rows}</tbody></table>')}</details>"
    )
