"""The commands that train a Diffuser, ask it and judge it: what they say, and what they refuse."""

import json

import pytest

from dcm_helpers import ask, judge, train_diffuser

NUMBERS = {"width": 16, "blocks": 1, "heads": 2, "steps": 4, "batch": 2, "heard": 2, "held": 0.5}
SMALL = [word for name, value in NUMBERS.items() for word in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def trained(example, tmp_path_factory):
    """A Diffuser that has learned nothing yet, from a run."""
    place = tmp_path_factory.mktemp("diffusers") / "small"
    assert train_diffuser.main(["--output", str(place), "--runs", str(example.folder.path), *SMALL]) == 0
    return place


def test_what_is_held_out_is_told(trained):
    settings = json.loads((trained / "diffuser.json").read_text())["learned_from"]
    assert settings["learned_from"] + settings["chosen_on"] + settings["judged"] == 6 and settings["judged_topics"]
    assert all(
        0 <= json.loads(line)["chosen_on"]["teacher_forced_answer"] <= 1 for line in (trained / "log.jsonl").open()
    )


def test_the_same_command_has_nothing_left_to_do(trained, example, capsys):
    before = (trained / "training.safetensors").read_bytes()
    assert train_diffuser.main(["--output", str(trained), "--runs", str(example.folder.path), *SMALL]) == 0
    assert (trained / "training.safetensors").read_bytes() == before
    assert json.loads(capsys.readouterr().out)["step"] in range(1, 5)


def test_it_answers_from_noise(trained, capsys):
    assert ask.main([str(trained), "What is a hat trick?", "--samples", "2", "--device", "cpu"]) == 0
    first = capsys.readouterr().out
    assert [line[:5] for line in first.splitlines()] == ["1. Q:", "1. A:", "2. Q:", "2. A:"]
    assert ask.main([str(trained), "What is a hat trick?", "--samples", "2", "--device", "cpu"]) == 0
    assert capsys.readouterr().out == first, "the seed means nothing"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing given to learn from"),
        (["--facts", "2", "--runs", "results/none"], "runs and facts given"),
        (["--facts", "2"], "--targets 0 --entropy 1 --kind direct"),
        (
            ["--facts", "1000", *["--targets", "0", "--entropy", "1", "--kind", "direct", "--model", "tiny"]],
            "facts is 1000",
        ),
        (["--runs", "results/none"], "results/none"),
        (["--facts", "2", "--targets", "0", "--entropy", "1"], "--kind direct"),
        (["--facts", "2", "--targets", "0", "--kind", "direct"], "give one of them a weight"),
        (["--facts", "2", "--width", "30"], "multiple of twice the number of heads"),
        (["--facts", "2", "--held", "2"], "held is 2"),
        (["--facts", "2", "--average", "1"], "average is 1"),
        (["--facts", "1"], "facts is 1; expected at least 2"),
    ],
)
def test_what_cannot_work_is_refused(words, told, tmp_path, capsys):
    assert train_diffuser.main(["--output", str(tmp_path / "new"), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "new").exists(), "a mistake leaves something behind"


def test_another_training_is_not_continued(trained, example, capsys):
    words = ["--output", str(trained), "--runs", str(example.folder.path), *SMALL, "--lr", "0.5"]
    assert train_diffuser.main(words) == 2
    assert "another lr; name another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere", "Who?"], "has no trained Diffuser"),
        (["trained", " "], "the question is empty"),
        (["trained", "Who?", "--steps", "0"], "steps is 0"),
        (["trained", "Who?", "--context", "missing.txt"], "reads the question alone"),
    ],
)
def test_what_cannot_be_asked_is_refused(trained, words, told, capsys):
    assert ask.main([str(trained) if words[0] == "trained" else words[0], *words[1:]]) == 2
    assert told in capsys.readouterr().err


def test_it_is_judged_beside_what_needs_no_training(trained, capsys):
    words = ["--steps", "2", "--task-steps", "2", "--start", "shared", "--optimized", "2"]
    assert judge.main([str(trained), *words]) == 0
    judged = json.loads((trained / "judged.json").read_text())
    rows, (doubts,) = judged["ladder"], judged["refutations"]
    where = ["made_to_learned", "optimized_to_learned", "made_to_optimized", "spread", "evaluations"]
    assert list(doubts) == ["method", *where] and doubts["spread"].startswith("0.000"), "untrained, it makes the mean"
    methods = list(dict.fromkeys(row["method"] for row in rows))
    assert methods[:2] == ["question as text", "question as text after a task-level prompt"]
    assert methods[-3:-1] == ["small, 2 steps", "small, 2 steps, conditions exchanged"]
    assert next(row for row in rows if row["method"] == "what optimization found, where it did")["exact"].startswith(
        "1.000"
    )
    assert "small, 2 steps: exact" in capsys.readouterr().out
    assert judge.main([str(trained), "--steps", "0"]) == 2 and judge.main(["nowhere"]) == 2
    assert "nowhere has no trained Diffuser" in capsys.readouterr().err
