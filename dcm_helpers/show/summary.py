"""What a run says, as text."""

import shutil
from collections import Counter

from dcm_helpers.config import MODES, OptimizerConfig
from dcm_helpers.markup import printable
from dcm_helpers.runs import STAGE1_GATE, STAGE3_BAR, TIERS, counted, summarize
from dcm_helpers.store import RunFolder

LABEL = 40
TEXT_LABEL = 28
"""Width of the labels of a decoded pair, whose texts need the room."""
PAGE_WIDTH = 100
"""Width of a line where no terminal says it."""
NAMED = 5
"""Pairs that are named one by one."""
GATE = {True: "passed", False: "NOT passed", None: "open until all have ended"}


def percent(rate: dict) -> str:
    """A rate as text: '14 of 16, 88 % (64 to 97 %)'."""
    if rate["n"] == 0:
        return "none"
    numbers = [round(100 * rate[name]) for name in ("rate", "low", "high")]
    return f"{rate['count']} of {rate['n']}, {numbers[0]} % ({numbers[1]} to {numbers[2]} %)"


def number(value: float | None, digits: int = 2) -> str:
    """A number as text, '-' where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def steps(spread: dict) -> str:
    """Mean, median and maximum as text."""
    if spread["mean"] is None:
        return "-"
    return f"mean {spread['mean']:.1f}, median {spread['median']:.0f}, most {spread['max']}"


def line(label: str, text: str, width: int = LABEL) -> str:
    """One indented line of a report."""
    return f"  {label:<{width}}{text}"


def remedies_lines(settings: OptimizerConfig) -> list[str]:
    """What is minimized beside cross-entropy, and where contents live, if that is anywhere else than usual."""
    lines = []
    if settings.terms:
        lines.append(line("Terms", ", ".join(f"{name}={value:g}" for name, value in settings.terms)))
    if settings.parameterization != "direct":
        lines.append(line("Parameterization", settings.parameterization))
    return lines


def run_summary(folder: RunFolder) -> str:
    """What a run says, as text: every stage that has records, its gate, and the readings of failed gates."""
    manifest = folder.manifest
    generator, identity = manifest["generator"], manifest["identity"]
    optimizer = identity["optimizer"]
    seconds = sum(session["seconds"] for session in manifest["sessions"])
    lines = [
        f"Phase 1a: {printable(str(folder.path))}",
        line("Generator", f"{printable(generator['name'])}, {generator['dtype']}"),
        line("Pairs", printable(manifest["data"]["account"])),
        line(
            "Optimizer",
            f"K={optimizer['K']}, lr={optimizer['lr']:g} {optimizer['schedule']}, stop rule {optimizer['stop_rule']}, "
            f"up to {optimizer['num_steps']} steps x {optimizer['num_restarts']} restarts, seed {optimizer['seed']}",
        ),
        *remedies_lines(OptimizerConfig.of_stored(optimizer)),
        line("Wall time so far", f"{seconds / 60:.1f} min in {len(manifest['sessions'])} session(s)"),
        *spent_lines(manifest["sessions"]),
    ]
    summary = summarize(folder)
    for name, section in (("stage1", stage1_lines), ("stage2", stage2_lines), ("stage3", stage3_lines)):
        if summary[name] is not None:
            lines += ["", *section(summary[name])]
    if (two := summary["stage2"]) and two["complete"] and not two["converged"]["count"]:
        lines += ["", "Stage 3, greedy decoding of converged pairs", line("nothing to decode", "no pair converged")]
    if failures := folder.failures():
        problem, reason = next(iter(failures.items()))
        lines += ["", line("GIVEN UP", f"{len(failures)} problems, which killed workers; failures.jsonl has all")]
        lines.append(line(printable(problem), printable(reason)))
    lines += decoded_lines(folder)
    for stage, diagnosis in folder.diagnosis().items():
        if stage in "12" and diagnosis.get("records") == len(folder.records(int(stage))) and "reading" in diagnosis:
            lines += ["", f"Stage {stage} fell short. What its failures support:", f"  {diagnosis['reading']}"]
    if folder.halted_after is not None:
        lines += ["", f"The run ended after stage {folder.halted_after}, whose gate failed; --ignore-gates goes on."]
    lines += ["", "Rates are given with 95 % Wilson intervals; losses are in nats per token."]
    return "\n".join(lines)


def spent_lines(sessions: list[dict]) -> list[str]:
    """Where the time of all sessions went, loading included; nothing where earlier versions did not say."""
    spent = sum((Counter(session.get("spent", {})) for session in sessions), Counter())
    told = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in spent.most_common())
    return [line("Where it went", told)] if told else []


def decoded_lines(folder: RunFolder) -> list[str]:
    """One pair as it was wanted and written: the first of stage 3, or of stage 2 where nothing was decoded yet."""
    first = next((found[0] for stage in (3, 2) if (found := folder.records(stage))), None)
    if first is None:
        return []
    room = max(20, shutil.get_terminal_size((PAGE_WIDTH, 0)).columns - TEXT_LABEL - 2)
    lines = ["", f"Pair {printable(first['pair'])}, as an example, in stage {first['stage']}"]
    for view in first["views"]:
        how = "exactly" if view["reconstructed"] else "otherwise"
        for label, text in (("wanted", view["target_text"]), (f"written {how}", view["decoded_text"])):
            text = printable(text)
            text = text if len(text) <= room else f"{text[: room - 3]}..."
            lines.append(line(f"{view['kind']}, {label}", text, TEXT_LABEL))
    return lines


def optimization_lines(summary: dict) -> list[str]:
    """Reconstruction, steps and endings of a stage."""
    ended = summary["reconstructed"]["n"]
    incomplete = line("INCOMPLETE", f"{ended} of {summary['expected']} problems have ended; easy ones end first")
    return [
        *([] if summary["complete"] else [incomplete]),
        line("reconstructed", percent(summary["reconstructed"])),
        line("steps to exact", steps(summary["steps_to_exact"])),
        line("all steps of the successful restart", steps(summary["steps"])),
        line("ended as", f"{counted(summary['stop_reasons'])}; {summary['restarts_used']} further restarts"),
    ]


def stage1_lines(summary: dict) -> list[str]:
    """Stage 1 as text."""
    return [
        "Stage 1, every question and every answer alone",
        *(
            line(f"{kind}s reconstructed", f"{percent(one['reconstructed'])}; to exact {steps(one['steps_to_exact'])}")
            for kind, one in summary["targets"].items()
        ),
        *optimization_lines(summary),
        line(f"gate: {STAGE1_GATE:.0%} reconstructed", GATE[summary["gate_passed"]]),
    ]


def stage2_lines(summary: dict) -> list[str]:
    """Stage 2 as text, with the mission's table."""
    context = summary["context_ratio"]
    lines = [
        "Stage 2, question and answer from one content",
        *optimization_lines(summary),
        line("converged", percent(summary["converged"])),
        line("loss, sum of both views", f"mean {number(summary['loss']['mean'], 3)}"),
        line("loss / random baseline", number(summary["random_ratio"], 3)),
        *(line(f"loss / full context, {kind}", number(context[kind], 3)) for kind in MODES.values()),
        *below_task_lines(summary["below_task"]),
        line("verdict", summary["verdict"]),
    ]
    for name, bounds in TIERS.items():
        wanted = (
            f"converged > {bounds['converged']:.0%}, / random < {bounds['random_ratio']}, "
            f"/ context < {bounds['context_ratio']}"
        )
        lines.append(line(f"tier {name!r}", f"{wanted}{'   <- reached' if name == summary['tier'] else ''}"))
    return lines if summary["tier"] else [*lines, line("tier", "none reached")]


def below_task_lines(below: dict | None) -> list[str]:
    """How often contents beat a task-level prompt, and where they do not; nothing where there is none."""
    if below is None:
        return []
    named = ", ".join(map(printable, below["not_below"][:NAMED]))
    rest = f" and {len(below['not_below']) - NAMED} more" if len(below["not_below"]) > NAMED else ""
    return [
        line("answers below a task-level prompt", percent(below)),
        *([line("not below", f"{named}{rest}")] if named else []),
    ]


def stage3_lines(summary: dict) -> list[str]:
    """Stage 3 as text."""
    ended = summary["pass"]["n"]
    incomplete = line("INCOMPLETE", f"{ended} of {summary['expected']} pairs were decoded")
    lines = [
        "Stage 3, greedy decoding of converged pairs",
        *([] if summary["complete"] else [incomplete]),
        line("pass, both exactly right", percent(summary["pass"])),
        line("partial", percent(summary["partial"])),
        line("fail", percent(summary["fail"])),
    ]
    for name in MODES.values():
        view = summary[name]
        degenerate = ", ".join(f"{count} {kind}" for kind, count in view["degenerate"].items()) or "none"
        lines.append(
            line(
                f"{name}: reconstructed, EM, F1, stops",
                f"{view['reconstructed']['rate']:.0%} / {view['exact_match']['rate']:.0%} / {view['f1']:.2f} / "
                f"{view['clean_stop']['rate']:.0%}; degenerate: {degenerate}",
            )
        )
    passed = {True: "reached", False: "NOT reached"}[summary["bar_passed"]]
    return [*lines, line(f"bar: more than {STAGE3_BAR:.0%} pass", passed if summary["complete"] else GATE[None])]
