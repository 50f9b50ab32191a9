"""What all command lines share: how they end, and what they write to."""

import os
import re
import signal
import subprocess
import sys

import pytest

from dcm_helpers import (
    ablate,
    analyze_results,
    benchmark,
    gallery,
    learn_start,
    phase1a_worker,
    reference,
    report,
    run_phase1a,
)
from dcm_helpers.errors import InputError
from dcm_helpers.shell import ENDING, command_line


def ended_by(error):
    def work(_):
        raise error

    return command_line(work, [], "All is kept.")


def test_errors_end_in_one_line(capsys):
    assert ended_by(InputError("no such thing")) == 2 and ended_by(PermissionError(13, "Denied", "x")) == 2
    assert capsys.readouterr().err == "error: no such thing\nerror: [Errno 13] Denied: 'x'\n"
    assert ended_by(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "Stopped. All is kept.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
def test_every_signal_that_ends_programs_ends_a_command_as_ctrl_c_does(number, capsys):
    before = [signal.getsignal(each) for each in ENDING]

    def work(_):
        os.kill(os.getpid(), number)
        signal.pause()

    assert command_line(work, [], "All is kept.") == 130
    assert capsys.readouterr().err == "Stopped. All is kept.\n"
    assert [signal.getsignal(each) for each in ENDING] == before


def test_a_defect_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        command_line(lambda _: 1 // 0, [], "")


COMMANDS = [run_phase1a, phase1a_worker, analyze_results, report, gallery, reference, ablate, learn_start, benchmark]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__.rpartition(".")[2])
def test_what_is_mistyped_ends_with_a_usage_message(command, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(["--no-such-option", "x"])
    assert caught.value.code == 2 and "Traceback" not in capsys.readouterr().err


def test_output_goes_to_terminals_and_readers_of_any_kind(example, tmp_path):
    """A terminal whose alphabet lacks signs of the data, and a reader that stops reading."""
    place = tmp_path / "问"
    place.symlink_to(example.folder.path)
    words = [sys.executable, "-m", "dcm_helpers.analyze_results", str(place)]
    narrow = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(words, env=narrow, capture_output=True)
    assert done.returncode == 0 and b"\\u95ee" in done.stdout and done.stderr == b""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait() == 0


def test_long_names_are_cut_in_errors(tmp_path, capsys):
    assert analyze_results.main([str(tmp_path / ("x" * 5000))]) == 2
    assert len(capsys.readouterr().err) < 1000


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (benchmark, ["--repeats", "0"]),
        (benchmark, ["--problems", "0"]),
        (benchmark, ["--methods"]),
        (reference, ["--plan", "--restarts", "-1"]),
        (reference, ["--plan", "--shuffles", "0"]),
    ],
)
def test_numbers_that_make_no_sense_are_refused_before_any_work(command, arguments, capsys):
    assert command.main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1 and re.search("expected|names nothing", told)
