"""Reports: their index, what earlier ones leave, a failing cell that is told, and an interrupt at any time."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import nbformat
import pytest
from made_notebooks import unexecuted

from dcm_helpers.config import PROJECT
from dcm_helpers.pages import chosen_notebooks, report_folder, write_report
from dcm_helpers.pages.execute import described, execute
from dcm_helpers.pages.index import Page, index_body, remembered
from dcm_helpers.pages.overview import decoded_html, in_a_plane, overview_html, verdicts
from dcm_helpers.pages.report import run_name
from dcm_helpers.report import main
from dcm_helpers.runs import Run, summarize
from dcm_helpers.shell import STOPPED
from dcm_helpers.store import RunFolder


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder that stands for the project's notebooks: a good one, a bad one, and another good one."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shown = "import os\nprint(*(os.environ[name] for name in ('DCM_RUN', 'DCM_MODEL', 'DCM_PICTURES')))"
    unexecuted(folder / "01_good.ipynb", "Good", "Does it run?", shown)
    unexecuted(
        folder / "02_bad.ipynb",
        "Bad",
        "Does it fail?",
        "print('before')",
        "raise ValueError('out of luck <b>')",
        "print('never')",
    )
    unexecuted(folder / "03_more.ipynb", "More", "Is there more?", "print('more')")
    monkeypatch.setattr("dcm_helpers.pages.execute.NOTEBOOKS", folder)
    return folder


@pytest.fixture
def target(tmp_path):
    return tmp_path / "report"


def test_a_kernel_that_dies_is_a_failure(example, tmp_path):
    path = unexecuted(tmp_path / "01_dies.ipynb", "Dies", "When?", "print(1)", "import os\nos._exit(1)", "print(2)")
    done = execute(path, example.folder, 60, lambda cell, cells: None)
    assert (done.outcome, done.cell) == ("failed", 3) and "DeadKernelError" in done.reason
    assert done.notebook.cells[1].outputs[0].text == "1\n"


def test_a_cell_that_takes_too_long_is_a_failure(example, tmp_path):
    path = unexecuted(tmp_path / "01_slow.ipynb", "Slow", "When?", "import time\ntime.sleep(60)")
    done = execute(path, example.folder, 1, lambda cell, cells: None)
    assert (done.outcome, done.cell) == ("failed", 2) and "CellTimeoutError" in done.reason


def report(example, target, *arguments):
    """Make a report in a folder of its own. Returns the exit status, and its pages by name."""
    status = main([str(example.folder.path), "--report-dir", str(target), *arguments])
    return status, {path.name: path.read_text() for path in target.glob("*.html")}


def test_texts_of_the_data_are_escaped(example):
    page = index_body("<b>run", "", [Page("01_x", "<b>title</b>", "a <i>question</i>", "failed", 3, "<script>")], "")
    assert "<b>" not in page and "<script>" not in page and "&lt;script&gt;" in page
    assert str(example.folder.path) not in overview_html(example.folder), "a place on this machine"


def test_a_failing_cell_is_named_and_the_rest_is_kept(example, notebooks, target, capsys):
    """Exit status 1, the index names the cell and leads to it, and the page holds what was computed before it."""
    status, pages = report(example, target)
    assert status == 1
    told = capsys.readouterr()
    assert "02_bad failed in cell 3: ValueError: out of luck" in told.err and f"Open {target}" in told.out
    assert [line for line in told.err.splitlines() if re.match(r"0\d_\w+: (finished|failed), \d+ s", line)]
    assert f"{example.folder.path.name} tiny 0" in pages["01_good.html"], "the run, and no pictures, which take time"
    assert str(example.folder.path) not in "".join(pages.values()), "where the run lies is nobody's business"
    assert "before" in pages["02_bad.html"] and "out of luck" in pages["02_bad.html"]
    index = pages["index.html"]
    assert "Failed in cell 3: ValueError: out of luck &lt;b&gt;" in index and 'href="02_bad.html#cell-3"' in index
    assert 'href="01_good.html"' in index and "Does it fail?" in index
    assert 'href="01_good.html">← Good' in pages["02_bad.html"] and 'href="03_more.html">More →' in pages["02_bad.html"]
    counts, share = verdicts(summarize(example.folder))[1][1].split(", ")
    assert f"<strong>{counts}</strong>{share}" in index
    for told in ("Slots K", "confident", "Wall time", "Seed", "threads", "Precision"):
        assert told in index


def test_pages_of_an_earlier_report_stay_and_lost_ones_go(example, notebooks, target):
    report(example, target, "--notebooks", "01", "03")
    (target / "03_more.html").unlink()
    _, pages = report(example, target, "--notebooks", "02")
    assert set(re.findall(r'<a href="(\w+\.html)"', pages["index.html"])) == {"01_good.html", "02_bad.html"}
    assert [page.name for page in remembered(target)] == ["01_good", "02_bad"]
    assert "02_bad.html" in pages["01_good.html"] and "03_more.html" not in pages["01_good.html"], "no dead links"
    assert "03_more.html" not in pages["02_bad.html"]


def test_a_single_file_holds_everything(example, notebooks, target):
    _, pages = report(example, target, "--notebooks", "01", "--single-file")
    assert "plotly.js v" in pages["index.html"] and not (target / "plotly.min.js").exists()
    assert "index.html" not in pages["01_good.html"]


def test_notebooks_of_stages_that_a_run_lacks_are_left_out(example, tmp_path, target, monkeypatch):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Stage one\n\n**Why?**")])
    notebook.metadata["dcm"] = {"reads_stage": 1}
    nbformat.write(notebook, tmp_path / "01_x.ipynb")
    monkeypatch.setattr(RunFolder, "records", lambda self, stage: [])
    (page,) = write_report(example.folder, [tmp_path / "01_x.ipynb"], 60, target)
    assert page.outcome == "left out" and page.reason == "this run has nothing of stage 1"
    assert "Left out: this run has nothing of stage 1" in (target / "index.html").read_text()


def test_the_overview_needs_no_generator(example, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the Generator was loaded")

    monkeypatch.setattr(Run, "load_generator", refuse)
    page = overview_html(RunFolder.read(example.folder.path))
    assert page.count('class="dcm-plot"') == 3
    assert page.count("<tr>") == 1 + 2 * 6, "wanted and written of six pairs"


def test_a_run_whose_pairs_are_gone_is_drawn_without_topics(example, monkeypatch):
    folder = RunFolder.read(example.folder.path)
    manifest = json.loads(json.dumps(folder.manifest))
    manifest["identity"]["data"]["dataset"] = "gone.jsonl"
    monkeypatch.setattr(RunFolder, "manifest", manifest)
    figure, note = in_a_plane(Run(folder))
    assert sum(len(trace.x) for trace in figure.data) == 6 and [trace.name for trace in figure.data] == ["no topic"]
    assert "gone.jsonl" in note


def test_failures_are_shown_before_successes(example, monkeypatch):
    records = json.loads(json.dumps(example.folder.records(2)))
    records[-1]["views"][1] |= {"reconstructed": False, "decoded_text": "<i>other</i>"}
    monkeypatch.setattr(RunFolder, "records", lambda self, stage: records if stage == 2 else [])
    page = decoded_html(example.folder)
    assert page.index("not exactly") < page.index(records[0]["views"][0]["target_text"]) and "&lt;i&gt;other" in page


def test_a_study_in_git_is_left_alone(tmp_path, monkeypatch):
    """Its report goes elsewhere, under a name made of its place; that of any other run stays with it."""
    results = tmp_path / "results"
    for name in ("reference/base", "mine"):
        (results / name).mkdir(parents=True)
        (results / name / "run.json").write_text("{}")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "-f", "results/reference/base/run.json"], check=True)
    monkeypatch.setattr("dcm_helpers.pages.report.RESULTS", results)
    assert report_folder(results / "reference" / "base") == results / "reports" / "reference-base"
    assert report_folder(results / "mine") == results / "mine" / "report"
    assert run_name(results / "mine") == "mine" and run_name(tmp_path / "elsewhere" / "run") == "run"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert report_folder(results / "reference" / "base").name == "report", "without git, nothing is kept in it"


LINE = """
import time
from dcm_helpers.pages.progress import NotebookLine
with NotebookLine(2) as line:
    line.begin("04_loss_landscape")
    line.at(12, 27)
    time.sleep(2.5)
    line.end("finished")
"""


def test_on_a_terminal_the_line_names_the_cell_and_moves():
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    subprocess.run([sys.executable, "-c", LINE], stderr=theirs, check=True, cwd=PROJECT)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    for seconds in range(3):
        assert f"0 of 2 |                | 04_loss_landscape, cell 12 of 27, {seconds} s" in shown


def test_in_a_log_there_is_one_line_for_each_notebook():
    told = subprocess.run([sys.executable, "-c", LINE], capture_output=True, text=True, check=True, cwd=PROJECT).stderr
    assert re.fullmatch(r"04_loss_landscape: finished, \d s\n", told)


STOPPABLE = """
import sys
from pathlib import Path
import dcm_helpers.pages.report as report
import dcm_helpers.pages.execute as execute
report.overview_html = lambda run: ""  # drawn before anything is executed, which takes a while
execute.NOTEBOOKS = Path(sys.argv[1])
from dcm_helpers.pages.report import run_name
from dcm_helpers.report import main
sys.exit(main(sys.argv[2:]))
"""


def kernels(process):
    """Process ids of the kernels that a process started."""
    children = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return [int(line.split()[0]) for line in children.stdout.splitlines() if "ipykernel" in line]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_at_once_and_keeps_what_is_finished(example, tmp_path, target, sent):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    unexecuted(folder / "01_quick.ipynb", "Quick", "Done?", "print('quick')")
    begun = tmp_path / "begun"
    unexecuted(
        folder / "02_slow.ipynb",
        "Slow",
        "When?",
        "print('half done')",
        f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)",
    )
    unexecuted(folder / "03_never.ipynb", "Never", "Begun?", "print('never')")
    code = [sys.executable, "-c", STOPPABLE, folder, example.folder.path, "--report-dir", target]
    process = subprocess.Popen(
        [*map(str, code)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT, env={**os.environ}
    )
    deadline = time.monotonic() + 120
    while not begun.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.1)
    (kernel,) = kernels(process)
    process.send_signal(sent)
    asked = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - asked < 5, "about 2 s where the machine has nothing else to do"
    assert process.returncode == STOPPED, err
    assert not is_running(kernel), "the kernel outlived its report"
    assert "Stopped in 02_slow" in err and "Traceback" not in err and "Task" not in err, err
    index = (target / "index.html").read_text()
    assert 'href="01_quick.html"' in index and "Stopped: interrupted at cell 3 of 3" in index and "Never" not in index
    page = (target / "02_slow.html").read_text()
    assert "Cell 3 was stopped." in page and "half done" in page and "DeadKernel" not in page
    assert "quick" in (target / "01_quick.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no run folder"),
        (["--output-dir", "nowhere"], "make one with"),
        (["RUN", "--notebooks", "99"], "no notebook begins with '99'"),
    ],
)
def test_mistakes_are_told(example, arguments, message, capsys):
    arguments = [str(example.folder.path) if each == "RUN" else each for each in arguments]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "gallery"])
def test_help_does_not_wait_for_what_draws(command):
    code = (
        f"import sys, contextlib\nfrom dcm_helpers.{command} import main\n"
        "with contextlib.suppress(SystemExit):\n    main(['--help'])\n"
        "print(sorted({'torch', 'transformers', 'plotly', 'pandas', 'nbclient'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT).stdout
    assert told.splitlines()[-1] == "[]" and "Execute the notebooks on a run" in told


def test_notebooks_say_which_stage_they_read():
    for path in chosen_notebooks([]):
        title, question, stage = described(path)
        notebook = json.loads(path.read_text())
        source = "".join("".join(cell["source"]) for cell in notebook["cells"])
        assert title and question.endswith("?")
        stages = re.search(r'stages="([\d,]+)"', source)
        assert stage == (int(stages[1].split(",")[-1]) if stages else 0)
