"""Wrong files, lines, folders and words, made by Hypothesis: each is read, or refused in a line or two.

Nothing hangs, nothing ends in a traceback, nothing is written outside of the run folder. A few examples of each run
with the other tests; ``--hypothesis-profile=campaign`` makes thousands.
"""

import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from hostile import bytes_of, changed_bytes, changed_tree, words
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from dcm_helpers import analyze_results, phase1a_worker, run_phase1a
from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig, RunConfig
from dcm_helpers.errors import InputError
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.pairs import load_pairs
from dcm_helpers.runs import Run, begin, prepare, readable_run
from dcm_helpers.show import next_commands, run_summary
from dcm_helpers.stm import joint_problems
from dcm_helpers.workers import Worker, line_of, read_message
from dcm_helpers.workers.protocol import Job, job_message, result_message, result_of

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
PAIR = {"id": "a", "question": "Which?", "answer": "that", "context": "It is that.", "question_paraphrases": ["What?"]}
JSONL = [{**PAIR, "id": str(number), "answer": f"that {number}"} for number in range(3)]
QAS = [{"id": str(number), "question": "Which?", "answers": [{"text": f"that {number}"}]} for number in range(3)]
SQUAD = {"data": [{"title": "T", "paragraphs": [{"context": "It is that.", "qas": QAS}]}]}
LINES = b"".join(bytes_of(line) + b"\n" for line in JSONL)
FEW = OptimizerConfig(K=2, num_steps=2, num_restarts=1)


def refused_well(error):
    """Whether an error is one that a user can read."""
    return 0 < len(str(error).splitlines()) <= 2 and len(str(error)) < 1500


def files_below(path):
    """All that lies below a folder."""
    return {str(each.relative_to(path)) for each in path.rglob("*")}


data_files = st.one_of(
    st.tuples(st.just("p.jsonl"), changed_bytes(LINES)),
    st.tuples(st.just("p.jsonl"), st.lists(changed_tree(PAIR).map(bytes_of), max_size=3).map(b"\n".join)),
    st.tuples(st.just("s.json"), changed_bytes(bytes_of(SQUAD))),
    st.tuples(st.just("s.json"), changed_tree(SQUAD).map(bytes_of)),
)


@shared
@given(file=data_files)
def test_data_files(file, tmp_path, tiny):
    name, data = file
    path = tmp_path / name
    path.write_bytes(data)
    try:
        dataset = load_pairs(DataConfig(str(path), 10)).writable(tiny)
    except InputError as error:
        assert refused_well(error)
    else:
        assert all(pair.question.strip() and pair.answer.strip() and pair.id.strip() for pair in dataset.pairs)
        assert dataset.fingerprint() and "\n" not in str(dataset)
        joint_problems(tiny, dataset.pairs)
    assert files_below(tmp_path) == {name}
    path.unlink()


@pytest.fixture(scope="module")
def job(problems):
    """A small job, as a message."""
    return job_message(Job("1", FEW, problems[:2]))


@pytest.fixture(scope="module")
def told(tiny, problems):
    """A result, as a message."""
    (result,) = ContentOptimizer(tiny, FEW).iterate(problems[:1])
    return result_message("1", result)


def short(optimizer):
    """Whether a job's settings are over soon, where they are settings at all."""
    names = ("num_steps", "num_restarts", "patience_steps")
    return all(not isinstance(optimizer.get(name), int | float) or optimizer[name] < 5 for name in names)


@shared
@given(data=st.data())
def test_lines_to_a_worker(data, tiny, job):
    line = data.draw(changed_tree(job).map(bytes_of) | changed_bytes(bytes_of(job)))
    try:
        read = read_message(line.decode("utf-8", "replace"), "line 1")
    except InputError as error:
        assert refused_well(error)
        return
    if read["type"] == "job" and short(read["optimizer"]):
        said = []
        Worker(tiny).work(read, said.append)
        assert [each["type"] for each in said].count("end") == 1 and said[-1]["type"] == "end"
        assert all(refused_well(each["message"]) for each in said if each["type"] == "error")
        assert all(read_message(line_of(each), "told") for each in said)


@shared
@given(data=st.data())
def test_lines_from_a_worker(data, told, problems):
    line = data.draw(changed_tree(told).map(bytes_of) | changed_bytes(bytes_of(told)))
    try:
        read = read_message(line.decode("utf-8", "replace"), "line 1")
        if read["type"] == "result":
            assert result_of(read, problems[0]).content.isfinite().all()
    except InputError as error:
        assert refused_well(error)


def spoiled(data, path):
    """Change one file of a folder: its bytes, an object in it, or what kind of thing it is."""
    kinds = ["bytes", "bytes", "gone", "folder", "link"]
    kind = data.draw(st.sampled_from(["tree"] * 4 + kinds if path.suffix in (".json", ".jsonl") else kinds))
    if kind == "bytes":
        path.write_bytes(data.draw(changed_bytes(path.read_bytes())))
    elif kind == "tree":
        lines = path.read_bytes().splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = bytes_of(data.draw(changed_tree(json.loads(lines[at]))))
        path.write_bytes(b"\n".join([*lines, b""]))
    else:
        path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "link":
            path.symlink_to(path.parent.parent / "elsewhere")


@shared
@given(data=st.data())
def test_run_folders(data, made, tiny):
    """Looking at a run and going on with it, whatever one of its files has become."""
    with tempfile.TemporaryDirectory() as place:
        changed_run(data, Path(place), made, tiny)


def changed_run(data, place, made, tiny):
    """Change a run's folder, look at it, go on with it."""
    folder = place / "results" / "run"
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns(".lock"))
    names = sorted(path.name for path in folder.iterdir())
    spoiled(data, folder / data.draw(st.sampled_from(names)))
    for look in (looked_at, gone_on_with):
        try:
            look(folder, tiny)
        except InputError as error:
            assert refused_well(error)
    assert {name.split("/")[0] for name in files_below(place)} == {"results"}
    assert all(name.startswith("run") for name in files_below(place / "results"))


def run_config(results):
    """A short run."""
    return RunConfig(
        generator=GeneratorConfig("tiny", "cpu", "float32"),
        data=DataConfig("pairs", 3),
        optimizer=FEW,
        ignore_gates=True,
        stage="1,2,3",
        output_dir=str(results),
        run_name="run",
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny):
    """The folder of a finished short run."""
    results = tmp_path_factory.mktemp("made")
    gone_on_with(results / "run", tiny)
    return results / "run"


def looked_at(folder, generator):
    """What commands that look at runs do."""
    run = Run(readable_run(folder), generator)
    run_summary(run.folder), next_commands(run.folder), run.folder.histories(), run.tables.problems(2)
    assert all(each.content.isfinite().all() for each in run.solutions)


def gone_on_with(folder, generator):
    """What the same command does when it is given again."""
    with (
        contextlib.redirect_stderr(io.StringIO()),
        prepare(run_config(folder.parent), ContentOptimizer, generator=generator) as phase,
    ):
        phase.run()


def flags_of(main):
    """All flags that a command's help names."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(["--help"])
    return sorted(set(re.findall(r"--[a-z][a-zA-Z0-9-]+", out.getvalue())) - {"--help"})


RUN = "--model tiny --device cpu --num-examples 1 --K 2 --num-steps 2 --num-restarts 1 --ignore-gates --run-name run"
COMMANDS = {
    run_phase1a.main: RUN.split(),
    phase1a_worker.main: ["--model", "tiny", "--device", "cpu"],
    analyze_results.main: [],
}
FLAGS = {main: flags_of(main) for main in COMMANDS}


def harmless(typed):
    """Whether words can at most write below the working directory, and cost no more than a moment."""
    line = " ".join(typed)
    long = re.search(r"--num-(restarts|steps|examples|validate)[= ](0*[1-9]\d{2,}|1_000|१)", line)
    return not (long or re.search(r"--output(-dir)?[= ](/|\S*\.\.)", line))


@shared
@given(main=st.sampled_from(list(COMMANDS)), data=st.data())
def test_command_lines(main, data, monkeypatch, tiny):
    typed = data.draw(words(FLAGS[main]).filter(harmless))
    real, same = begin.load_generator, GeneratorConfig("tiny", "cpu", "auto")
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as place, monkeypatch.context() as patch:
        home = Path(place) / "home"
        home.mkdir()
        patch.chdir(home)
        patch.setattr(sys, "stdin", io.StringIO(""))
        patch.setattr(begin, "load_generator", lambda config: tiny if config == same else real(config))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main([*COMMANDS[main], *typed])
            except SystemExit as end:
                status = end.code
        assert {name.split(os.sep)[0] for name in files_below(Path(place))} == {"home"}
    assert status in (0, 2) and "Traceback" not in err.getvalue()
    if err.getvalue().startswith("error: "):
        assert refused_well(err.getvalue())
    event(f"{main.__module__}: {status}")
