"""The reference study from end to end on the tiny Generator, and the committed one against its own records."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from stand_ins import Told, problems

from dcm_helpers.config import PROJECT
from dcm_helpers.controls.sharing import crossed_steps, slower_half
from dcm_helpers.errors import InputError
from dcm_helpers.inquiry import Study, StudyConfig, open_study
from dcm_helpers.look import losses_at
from dcm_helpers.look.clusters import principal_axes
from dcm_helpers.reference import main
from dcm_helpers.study import answers_table, findings_table, markdown
from dcm_helpers.study.page import answers_beside, steps_beside
from dcm_helpers.study.questions import parts_of, questions, tables_of

REFERENCE = PROJECT / "results" / "reference"


SIZE = StudyConfig(
    model="tiny",
    device="cpu",
    num_examples=6,
    num_steps=50,
    controls=4,
    limit=4,
    landscape=3,
    few=2,
    restarts=2,
    capacities=(1, 2, 4, 16),
    near_tokens=(0.1,),
    shuffles=20,
)
ALIKE = {
    *("exact-K2", *(f"exact-others{number}-K2" for number in (1, 2, 3))),
    *(
        "exact-K16",
        "exact-long-K4",
        "exact-long-K8",
        "exact-restated-K8",
        *(f"exact-restated-others{number}-K8" for number in (1, 2, 3)),
    ),
}
"""Parts that no test needs beside those of their kind."""
FROM_BASE = {"surprisal", "curves", "routing", "ablation", "prefixes"}
"""Tables that the parts 'base' and 'restarts' are enough for."""


def arguments_of(config):
    """The command line of a study's settings."""
    words = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default:
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{field.name.replace('_', '-')}", *map(str, values)]
    return words


ARGUMENTS = arguments_of(SIZE)


def stand_in_embeddings(texts):
    """In place of the sentence encoder, which is fetched: unit vectors that depend on the text."""
    rows = np.stack([np.random.default_rng(list(text.encode())).normal(size=16) for text in texts])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A study of every kind of part, cut down, made in two calls; with what its base part held after the first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dcm_helpers.solutions.clusters.sentence_embeddings", stand_in_embeddings)
        # compiling UMAP would take longer than the study
        patch.setattr("dcm_helpers.look.clusters.umap_axes", lambda points, axes, *_: principal_axes(points, axes))
        # with so small a Generator a group of rows costs the same however large it is: one for each step
        patch.setattr("dcm_helpers.stm.layout.GROUP_OVERHEAD", 1)
        folder = tmp_path_factory.mktemp("study")
        arguments = [*ARGUMENTS, "--output-dir", str(folder)]
        assert main([*arguments, "--parts", "base", "restarts"]) == 0
        needed = [part.name for part in parts_of(SIZE) if part.name not in ALIKE]
        before = (folder / "base" / "stage2.jsonl").read_bytes()
        assert {path.stem for path in (folder / "measured").glob("*.jsonl")} == FROM_BASE
        assert main([*arguments, "--parts", *needed]) == 0
        yield Study(folder, config=SIZE), before


def test_a_study_is_made_in_parts_and_continues(small):
    study, before = small
    assert (study.path / "base" / "stage2.jsonl").read_bytes() == before, "a finished part was made again"
    for part in ("base", "norm", "exact-long-K2", "exact-layers-random", "paraphrases", "near-0.1"):
        assert study.complete(part)
    made = {path.stem for path in (study.path / "measured").glob("*.jsonl")}
    assert made == {table.name for table in tables_of(SIZE)}
    assert all(study.folder(part).manifest["sessions"][0]["threads"] >= 1 for part in ("base", "norm", "K2"))


def test_what_another_process_is_making_is_left_to_it(tmp_path, capsys):
    (tmp_path / "exact-layers-shuffled").mkdir()
    few_steps = dataclasses.replace(SIZE, num_steps=5, output_dir=str(tmp_path))
    arguments = arguments_of(few_steps)  # few steps: nothing is asked of the contents
    with FileLock(tmp_path / "exact-layers-shuffled" / ".lock"):
        assert main([*arguments, "--parts", "exact-layers-shuffled", "exact-layers-random"]) == 0
    assert "exact-layers-shuffled: left to the process that is making it" in capsys.readouterr().err
    study = Study(tmp_path)
    assert study.complete("exact-layers-random") and not study.has("exact-layers-shuffled")


def test_every_finding_is_recomputed_from_what_is_stored(small):
    study, _ = small
    table = findings_table(study)
    assert set(table.columns) == {"question", "measured", "figure", "control"}
    questions = {question.split()[0] for question in table["question"]}
    assert questions == {"1", "2", "3", "4", "5", "6", "7a", "7b", "7c", "7d", "7e", "7f", "7g", "7h", "7i", "8", "9"}
    assert not table["figure"].str.contains("nan").any(), table[table["figure"].str.contains("nan")]
    answers = answers_table(study)
    assert answers["question"].str.endswith("?").all() and answers["answer"].str.len().gt(0).all()
    assert markdown(table).count("\n") == len(table) + 1


def test_halves_are_those_of_both_texts(small):
    """Whatever answer a question is put with, it is set beside the slower of the halves for these two texts."""
    study, _ = small
    table, alone = crossed_steps(study, 8), study.per_problem("confident-alone-K4")["steps_to_exact"]
    true = table["own"]
    halves = slower_half(study, 8, table)
    of_pair = alone.groupby(study.per_problem("confident-alone-K4")["pair"]).max()
    assert (halves[true] == table[true]["pair"].map(of_pair)).all() and true.sum() == len(of_pair)
    assert table[~true].groupby("answer").size().eq(3).all() and not halves.isna().any()
    for _, exchange in halves[~true].groupby(level=0):
        assert (exchange >= 0).all() and len(exchange) == 3


def test_an_unfinished_study_answers_what_it_can(small, tmp_path):
    study, _ = small
    partial = Study(tmp_path)
    for name in ("exact-K8", *(f"exact-others{number}-K8" for number in (1, 2, 3)), "confident-alone-K4"):
        (tmp_path / name).symlink_to(study.path / name)
    assert set(findings_table(partial)["question"]) == {"7a mismatched", "7d split"}
    with pytest.raises(InputError, match="no part 'base'; make it with"):
        partial.folder("base")
    with pytest.raises(InputError, match=r"surprisal\.jsonl is missing"):
        partial.table("surprisal")


def test_tables_hold_a_row_for_everything_that_was_measured(small, tiny):
    study, _ = small
    surprisal = study.table("surprisal")
    assert len(surprisal) == 2 * 6 and (surprisal["nats_with"] < surprisal["nats_without"]).all()
    routing = study.table("routing")
    assert len(routing) == 6 * 2 * 3 and (routing.query("modes == 'as optimized'")["wrote"] != "other").all()
    slots = study.table("slots")
    starts = slots[(slots["kind"] == "start") & (slots["part"] != "norm-gaussian")]
    assert (starts["other_distance"] > 0.1).all() and starts["at_start"].eq(1).all()
    elsewhere = slots[(slots["kind"] == "start") & (slots["part"] == "norm-gaussian")]
    assert (elsewhere["distance"] > 0.1).all() and elsewhere["at_start"].eq(0).all(), "Gaussian starts are no tokens"
    assert starts["distance"].max() < 1e-4 and starts["travel"].max() < 1e-6, "starts are tokens"
    held = slots[(slots["part"] == "norm") & (slots["kind"] == "content")]
    assert held["norm_over_start"].sub(1).abs().max() < 1e-2
    trajectories = study.table("trajectories")
    assert (trajectories["straightness"] <= 1).all() and (trajectories["dimensions_99"] >= 1).all()
    way = study.table("way")
    assert way.groupby(["family", "pair"])["loss"].agg(lambda losses: losses.iloc[0] > losses.iloc[-1]).all()
    clusters = study.table("clusters")
    assert set(clusters["of"]) == {"contents", "starts", "text"} and clusters["p"].between(0, 1).all()


def test_two_studies_are_set_side_by_side(small):
    """A study beside itself says the same of everything; beside the committed one, what both have."""
    study, _ = small
    same = answers_beside(study, study)
    numbers = same["both say so"].eq("")
    assert (numbers | same["both say so"].eq("yes")).all() and same["question"][~numbers].size > 10
    assert len(same) == len(answers_table(study))
    steps = steps_beside(study, study)
    assert steps["steps, as a ratio"].str.startswith("1 (1 to 1)").all()
    assert not steps["part"].str.contains("others|layers|random|rephrased|restarts").any()
    made = (study.path / "README.md").read_text()
    other = open_study(StudyConfig().output_dir)
    assert markdown(answers_beside(other, study)) in made and markdown(steps_beside(other, study)) in made
    assert "smollm2-135m: figure" in made and "| base |" in markdown(steps_beside(other, study))


def test_what_is_hard_for_both_is_asked_with_nats_held():
    """Steps of two Generators that follow from nats, each Generator's own, and from nothing else."""
    random = np.random.default_rng(0)
    texts = [f"text {index}" for index in range(60)]

    def study(factor):
        nats = np.linspace(50, 200, 60) * random.normal(factor, 0.02, 60)
        made = problems(factor * nats * random.normal(1, 0.1, 60))
        views = [{"target_text": text} for text in texts]
        records = [
            {"problem": name, "views": [view], "variant": "", "problem_restart": 0}
            for name, view in zip(made.index, views, strict=True)
        ]
        costs = pd.DataFrame({"part": "exact-K8", "problem": made.index, "nats_without": nats})
        return Told({"control_nats": costs}, {"exact-K8": made}, {"exact-K8": records})

    ((_, apart, held, _),) = steps_beside(study(1), study(2)).itertuples(index=False)
    assert float(apart.split()[0]) > 0.8
    low, high = (float(each) for each in held[held.index("(") + 1 : held.index(")")].split(" to "))
    assert low < 0 < high


def test_the_plan_and_mistakes(small, capsys):
    study, _ = small
    arguments = [*ARGUMENTS, "--output-dir", str(study.path)]
    assert main([*arguments, "--plan"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"in all [\d.]+ h; [\d.]+ MB", printed) and "exact-others1-K8" in printed
    assert main(["--output-dir", str(study.path), "--plan"]) == 0
    assert capsys.readouterr().out == printed, "the folder says what it has"
    assert main([*arguments, "--findings"]) == 0
    assert "7d split" in capsys.readouterr().out
    assert main([*arguments, "--parts", "nonsense"]) == 2
    count = len(printed.split("in all ")[0].splitlines()) - 1  # below a line of heads
    told = f"there is no part 'nonsense'; expected some of the {count} that --plan lists"
    assert told in capsys.readouterr().err


@pytest.fixture(scope="module")
def reference(smollm2):
    """The committed study, with the Generator that it was made with."""
    return Study(REFERENCE, smollm2)


def test_the_committed_study_is_small():
    size = sum(path.stat().st_size for path in REFERENCE.rglob("*") if path.is_file())
    assert 0 < size < 25e6


def test_committed_contents_have_their_stored_losses(reference):
    """At the precision in which they are kept, on a few contents of several parts."""
    for part in ("base", "restarts", "K2"):
        if not reference.complete(part):
            continue
        for solution in reference.solutions(part)[:3]:
            assert reference.folder(part).content(solution.record).dtype is torch.float16
            measured = losses_at(reference.generator, solution.problem, solution.content[None]).iloc[0]
            assert measured["loss"] == pytest.approx(solution.record["loss"], rel=1e-2)
            assert measured["teacher_forced_exact"] == solution.record["reconstructed"]


def test_the_studys_page_tells_what_the_records_say():
    """Its table of findings is what the stored records give today."""
    assert markdown(findings_table(Study(REFERENCE))) in (REFERENCE / "README.md").read_text()


def test_the_readmes_answers_are_the_studys():
    """The handful between its two marks are rows of the study's answers, as the stored records give them today."""
    told = (PROJECT / "README.md").read_text().split("<!-- answers -->\n")[1].split("\n<!-- end of answers -->")[0]
    rows = markdown(answers_table(Study(REFERENCE))).splitlines()
    assert told.splitlines()[:2] == rows[:2] and set(told.splitlines()) <= set(rows) and told.count("\n") > 4


def test_findings_name_what_they_need():
    config = StudyConfig()
    parts, tables = ([each.name for each in of(config)] for of in (parts_of, tables_of))
    names = {*parts, *tables}
    assert len(names) == len(parts) + len(tables), "a name must mean one thing"
    for question in questions(config).values():
        assert {need for needs, _ in question.findings for need in needs} <= names
        assert {need for table in question.tables for need in table.needs} <= set(parts)
    assert isinstance(findings_table(Study(PROJECT / "nowhere")), pd.DataFrame)
    with pytest.raises(InputError, match="no question 'weather'; expected some of: success, landscape"):
        findings_table(Study(REFERENCE), "weather")
