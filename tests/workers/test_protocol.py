"""Messages say all there is to say, and what is none is refused in a line."""

import dataclasses
import io
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import torch

from dcm_helpers import phase1a_worker
from dcm_helpers.config import PROJECT, OptimizerConfig
from dcm_helpers.errors import InputError
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.workers import Job, Worker, job_message, job_of, line_of, message, read_message, result_of, schema
from dcm_helpers.workers.messages import FORMS

CONFIG = OptimizerConfig(K=8, lr=0.1, num_steps=150, num_restarts=1)


def through_a_line(told):
    return read_message(line_of(told), "a test")


def test_a_job_comes_back_as_it_went(problems):
    moved = dataclasses.replace(problems[0], id="moved", initial=torch.randn(8, 128))
    job = Job("7", CONFIG, [*problems[:2], moved])
    back = job_of(through_a_line(job_message(job)))
    assert (back.id, back.config, back.problems[:2]) == ("7", CONFIG, problems[:2])
    assert torch.equal(back.problems[2].initial, moved.initial)


def test_a_worker_finds_what_the_loop_finds_and_says_it_exactly(tiny, problems):
    told = []
    Worker(tiny).work(through_a_line(job_message(Job("7", CONFIG, problems[:3]))), told.append)
    told = [through_a_line(each) for each in told]
    assert told[-1] == message("end", job="7", stopped=False)
    by_id = {problem.id: problem for problem in problems}
    found = {each["problem"]: result_of(each, by_id[each["problem"]]) for each in told if each["type"] == "result"}
    for result in ContentOptimizer(tiny, CONFIG).optimize(problems[:3]):
        other = found[result.problem.id]
        assert torch.equal(result.content, other.content)
        for field in dataclasses.fields(result):
            if field.name not in ("content", "seconds"):
                assert getattr(result, field.name) == getattr(other, field.name), field.name
    for each in told:
        jsonschema.validate(each, schema())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "no JSON"),
        ("null", "in place of an object"),
        ("[" * 100_000, "nested too deeply"),
        ("{}", "type is None"),
        ('{"type": "explode"}', "type is 'explode'"),
        ('{"type": ["job"]}', "type is"),
        ('{"type": "stop"}', "version: Field required"),
        ('{"type": "stop", "version": 2}', "version: "),
        ('{"type": "job", "version": 1, "job": "a", "optimizer": {}, "problems": []}', "problems: "),
    ],
)
def test_what_is_no_message_is_refused_in_a_line(line, told):
    with pytest.raises(InputError, match="line 3") as caught:
        read_message(line, "line 3")
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_settings_and_contents_of_a_message_are_checked(tiny, problems):
    job = job_message(Job("7", CONFIG, problems[:1]))
    for change, words in (
        ({"optimizer": {"unheard_of": 1}}, "unheard_of"),
        ({"optimizer": {"K": 0}}, "K is 0"),
        ({"problems": [{**job["problems"][0], "initial": "AAAA"}]}, "is no safetensors in base64"),
    ):
        told = []
        Worker(tiny).work({**job, **change}, told.append)
        assert [each["type"] for each in told] == ["error", "end"] and words in told[0]["message"]


def test_a_worker_behind_a_pipe(problems):
    """Jobs on stdin, a line that is none among them, then a stop."""
    command = [sys.executable, "-m", "dcm_helpers.phase1a_worker", "--model", "tiny", "--device", "cpu"]
    lines = [line_of(job_message(Job(str(number), CONFIG, [problem]))) for number, problem in enumerate(problems[:2])]
    text = "\n".join([lines[0], "no message", lines[1]]) + "\n"
    done = subprocess.run([*command, "--dtype", "float32"], input=text, capture_output=True, text=True, timeout=120)
    told = [read_message(line, "stdout") for line in done.stdout.splitlines()]
    kinds = [each["type"] for each in told if each["type"] != "progress"]
    assert (
        done.returncode == 2 and kinds[0] == "ready" and sorted(kinds[1:]) == sorted(["result", "end"] * 2 + ["error"])
    )
    assert {each["problem"] for each in told if each["type"] == "result"} == {problem.id for problem in problems[:2]}


def test_a_task_of_an_array_reads_its_share(tmp_path, problems):
    path = tmp_path / "jobs.jsonl"
    jobs = [job_message(Job(str(number), CONFIG, [problem])) for number, problem in enumerate(problems[:3])]
    path.write_text("".join(line_of(job) + "\n" for job in jobs))
    words = f"--model tiny --device cpu --dtype float32 --jobs {path} --index 1 --count 2"
    command = [sys.executable, "-m", "dcm_helpers.phase1a_worker", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    ends = [json.loads(line)["job"] for line in done.stdout.splitlines() if '"end"' in line]
    assert done.returncode == 0 and ends == ["1"]


@pytest.mark.parametrize(("index", "count"), [(2, 2), (-1, 2), (0, 0)])
def test_there_is_no_such_share(capsys, index, count):
    assert phase1a_worker.main(["--index", str(index), "--count", str(count)]) == 2
    assert f"index is {index} of {count} shares" in capsys.readouterr().err


def test_what_is_no_job_is_told_with_its_line_and_its_id(tmp_path, capsys, problems):
    wrong = {**job_message(Job("one", CONFIG, problems[:1])), "problems": []}
    (tmp_path / "jobs").write_text(
        "\n\n" + line_of(wrong) + '\n{"type": "end", "version": 1, "job": "7", "stopped": true}\n'
    )
    assert phase1a_worker.main(["--model", "tiny", "--device", "cpu", "--jobs", str(tmp_path / "jobs")]) == 2
    _, first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["job"] == "one" and first["message"].startswith("line 3: problems")
    assert second["job"] == "7" and "takes jobs, not end" in second["message"]


def test_a_stop_ends_a_worker_that_has_nothing_to_do(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO(line_of(message("stop")) + "\n"))
    assert phase1a_worker.main(["--model", "tiny", "--device", "cpu"]) == 130


@pytest.mark.parametrize("jobs", ["missing", ".", "bytes"])
def test_a_file_of_jobs_that_cannot_be_read_is_told(tmp_path, capsys, monkeypatch, jobs):
    monkeypatch.chdir(tmp_path)
    Path("bytes").write_bytes(b"\xff\xfe\x00{}\n")
    status = phase1a_worker.main(["--model", "tiny", "--device", "cpu", "--jobs", jobs])
    out, err = capsys.readouterr()
    if jobs == "bytes":
        assert status == 2 and "line 1 is no JSON" in out
    else:
        assert status == 2 and err.startswith("error: ") and err.count("\n") == 1


def test_the_documentation_makes_jobs_and_reads_what_comes_of_them(tmp_path, monkeypatch, capsys):
    text = (PROJECT / "dcm_helpers" / "workers" / "README.md").read_text().partition("<!-- jobs -->")[2]
    made, read = (block.partition("```")[0] for block in text.split("```python")[1:])
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(made, names)
    assert phase1a_worker.main(["--model", "tiny", "--jobs", "jobs.jsonl"]) == 0
    Path("told.jsonl").write_text(capsys.readouterr().out)
    exec(read, names)
    assert len(names["results"]) == 4 and "True torch.Size([8, 128])" in capsys.readouterr().out


def test_the_messages_of_the_documentation_are_messages():
    text = (PROJECT / "dcm_helpers" / "workers" / "README.md").read_text()
    lines = text.partition("<!-- messages -->")[2].partition("<!-- end of messages -->")[0].strip().splitlines()[1:-1]
    told = [read_message(line, "the documentation") for line in lines]
    assert len(told) == 10 and {each["type"] for each in told} == FORMS.keys()
    for each in told:
        jsonschema.validate(each, schema())
