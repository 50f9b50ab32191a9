"""What a study found, as tables and as the page in its folder, also beside the reference study.

Another study has another Generator and the same pairs: does what was found hold there?
"""

import re
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from dcm_helpers.controls import NATS, by_condition
from dcm_helpers.files import write_safely
from dcm_helpers.inquiry import SIZES, SURE, K, Study, StudyConfig, open_study, true_part
from dcm_helpers.stats import correlation, partial_correlation, ratio
from dcm_helpers.study.questions import all_findings, parts_of, plan
from dcm_helpers.study.told import ANECDOTE, answers_told, corrected, findings_told, markdown, told

PAGE = "README.md"
"""Where a study's page stands, in its folder."""


def findings_table(study: Study, *names: str) -> pd.DataFrame:
    """Findings as text: columns question, measured, figure, control. For ``names`` see :func:`all_findings`."""
    return findings_told(all_findings(study, *names))


def answers_table(study: Study) -> pd.DataFrame:
    """The few findings that answer the study's questions, as :func:`~dcm_helpers.study.told.answers_told` has them."""
    return answers_told(all_findings(study))


def write_page(study: Study) -> None:
    """Write the page that stands in the study's folder."""
    write_safely(study.path / PAGE, page(study, plan(study)).encode())


def page(study: Study, made: pd.DataFrame) -> str:
    """What stands in the study's folder: how it was made, its answers, its findings, its parts.

    A study with another Generator than the one that it repeats is set beside that one.
    """
    manifest = manifest_of(study)
    versions, generator = manifest["versions"], manifest["generator"]
    hours, at_pace = (made[name].sum() / 60 for name in ("minutes", "at the base's pace"))
    reckoned = f", or {at_pace:.1f} had each position taken as long as the base part's" if at_pace else ""
    for name in ("mean steps", "minutes", "at the base's pace", "MB"):
        made[name] = [f"{number:.1f}" if pd.notna(number) else "" for number in made[name]]
    found = all_findings(study)
    by_rule: dict[str, dict[str, None]] = {}
    for finding in found:
        if finding.answer is not None:
            by_rule.setdefault(finding.answer.rule, {})[finding.answer.question] = None
    rules = "\n".join(f"- {rule[0].upper()}{rule[1:]}: {' '.join(asked)}" for rule, asked in by_rule.items())
    first = open_study(study.config.repeats)
    repeats = manifest_of(first)["generator"]["name"] != generator["name"]
    return f"""# {study.config.title}

Made by `{study.command}` with {generator["name"]} in {generator["dtype"]}, torch {versions["torch"]},
transformers {versions["transformers"]}; so was this page. Each part is a folder as any run's, with all its contents
in one file in half precision. `measured/` has the tables that were measured on them.
{beside(first, study) if repeats else alone(study)}
## Answers

`not shown` means that the interval holds "no difference", or that the test does not stand once all tests of this table
are corrected together (false-discovery rate of Benjamini and Hochberg, corrected p below {SURE}; every answer with a p
counts, so that a question that is added can move those of others).

{markdown(answers_told(found))}

How each answer follows from its figure:

{rules}

## Findings

95 % intervals, not corrected, over pairs; n counts these, or, where they do not vary on their own, what does: blocks of
two, circles of answers that were exchanged once. What rests on fewer than {ANECDOTE} is called an anecdote. Of several
kinds of features the one that tells most from chance is shown, its p corrected.

{markdown(findings_told(found))}
{elsewhere(study)}
## Parts

Minutes are those of forward and backward passes; where a part is not complete, reckoned from the base part. The
sessions in a part's `run.json`, where it has them, say on how many threads. {hours:.1f} hours in all{reckoned}.

{markdown(made)}
"""


def alone(study: Study) -> str:
    """Where a study is repeated, and what is said of the reference study's other files."""
    lines = []
    if (study.path / "RELATED.md").is_file():
        lines.append("`squad/` has ids and figures of a run on SQuAD. [Where this stands among others](RELATED.md).")
    committed = {name: StudyConfig(**size) for name, size in SIZES.items()}
    here = next((name for name, config in committed.items() if Path(config.output_dir) == study.path.resolve()), None)
    for name, config in committed.items():
        if config.repeats == here and config.model != study.config.model and Path(config.output_dir, PAGE).is_file():
            lines.append(f"[The same with another Generator](../{name}/{PAGE}).")
    return "".join(f"{line}\n" for line in lines)


def elsewhere(study: Study) -> str:
    """The section that says where contents are exact; nothing where that was not measured."""
    if not study.has_table("exactness"):
        return ""
    return f"""
## Where contents are exact

Contents that decode exactly, by the stop rule that they were found by, in {study.config.dtype}.

{markdown(by_condition(study))}
"""


def beside(first: Study, study: Study) -> str:
    """The sections that set a study beside the one that it repeats."""
    return f"""
## Beside [{first.config.title[0].lower()}{first.config.title[1:]}](../{first.path.name}/{PAGE})

Answers that both studies have. Each is corrected for the tests of its own study.

{markdown(answers_beside(first, study))}

Are the same pairs hard for both Generators? Steps to exact, pair by pair, in every part of true pairs that both have:

{markdown(steps_beside(first, study))}
"""


def manifest_of(study: Study) -> dict:
    """What the first of a study's parts was made with; of a study that needs none, what its tables are."""
    made = next((study.folder(part.name).manifest for part in parts_of(study.config) if study.has(part.name)), None)
    return made or {
        "generator": {"name": study.config.model, "dtype": study.config.dtype},
        "versions": {name: version(name) for name in ("torch", "transformers")},
    }


def answers_beside(*both: Study) -> pd.DataFrame:
    """The answers of two studies to the questions that both have, each corrected for its own tests.

    Returns:  columns question, answer and figure of each, and whether both begin with the same claim, '' where that is
              a number
    """
    answers = [
        {each.answer.question: (each, says) for each, says, _ in corrected(all_findings(study))} for study in both
    ]
    rows = []
    for question in answers[0]:
        if question in answers[1]:
            (one, says), (other, says_too) = (those[question] for those in answers)
            first, second = (re.split("[,;(]", each)[0].strip() for each in (says, says_too))
            agree = "" if re.search(r"\d", first) else "yes" if first == second else "no"
            rows.append((question, says, told(one.figure), says_too, told(other.figure), agree))
    names = [manifest_of(study)["generator"]["name"] for study in both]
    columns = [f"{name}{what}" for name in names for what in ("", ": figure")]
    return pd.DataFrame(rows, columns=["question", *columns, "both say so"])


def steps_beside(first: Study, second: Study) -> pd.DataFrame:
    """Whether the same pairs are hard for both Generators: for each part of true pairs that both studies have.

    What has more nats takes more steps with any Generator, so the rank correlation is told with these held, too: what
    the texts cost without content, with the first Generator and with the second.

    Returns:  columns part, rank correlation of steps to exact, the same with nats held, steps of the second Generator
              over those of the first
    """
    shared = {part.name for part in parts_of(second.config)}
    rows = []
    for part in parts_of(first.config):
        if part.name in shared and first.complete(part.name) and second.complete(part.name):
            of_both = of_true_pairs(first, part.name), of_true_pairs(second, part.name)
            both = pd.merge(*of_both, left_index=True, right_index=True, suffixes=(" first", " second"))
            if part.layers == "trained" and len(both) > 2:
                steps = [both[f"steps {which}"] for which in ("first", "second")]
                nats = [both[f"nats {which}"] for which in ("first", "second")]
                known = all(each.notna().all() for each in nats)
                rows.append(
                    (
                        part.name,
                        correlation(*steps).text(".2g"),
                        partial_correlation(*steps, *nats).text(".2g") if known else "not measured",
                        ratio(*reversed(steps)).text(),
                    )
                )
    return pd.DataFrame(rows, columns=["part", "rank correlation of steps", "with nats held", "steps, as a ratio"])


def of_true_pairs(study: Study, part: str) -> pd.DataFrame:
    """Steps to exact, counted from 1, and nats of the texts without content, of the true pairs of a part, by texts."""
    steps = study.per_problem(part)["steps_to_exact"] + 1
    nats = {}
    if study.has_table(NATS):
        costs = study.table(NATS).set_index(["part", "problem"])["nats_without"]
        nats = {texts_of(record): costs[true_part(K), record["problem"]] for record in study.records(true_part(K))}
    rows = {
        texts_of(record): (steps[record["problem"]], nats.get(texts_of(record), float("nan")))
        for record in study.records(part)
        if not record["variant"] and record["problem_restart"] == 0
    }
    texts = pd.Index(list(rows), tupleize_cols=False)
    return pd.DataFrame(list(rows.values()), columns=["steps", "nats"], index=texts)


def texts_of(record: dict) -> tuple[str, ...]:
    """The texts that a record's content is to write, whatever they are asked for by."""
    return tuple(view["target_text"] for view in record["views"])
