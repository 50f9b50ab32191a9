"""The benchmark runs, and its figures add up; nothing here asserts a time."""

import json

import pytest

from dcm_helpers import benchmark
from dcm_helpers.bench.speed import flop
from dcm_helpers.generator import token_rows
from dcm_helpers.learned import keep_start
from dcm_helpers.seeds import seeded

TINY = "--model tiny --device cpu --dtype float32 --num-examples 3 --num-steps 120 --repeats 1 --batch-size 2"


@pytest.fixture
def start(tiny, tmp_path):
    """A file of starts, as if it had been learned."""
    path = tmp_path / "start.safetensors"
    keep_start(path, token_rows(tiny, 8, seeded("a start")), {"generator": "tiny"})
    return str(path)


def test_all_parts_on_the_tiny_generator(tmp_path, capsys, start):
    pytest.importorskip("peft")
    output = tmp_path / "figures.json"
    arguments = [*TINY.split(), "--start", start, "--problems", "10", "--output", str(output)]
    assert benchmark.main(arguments) == 0
    figures = json.loads(output.read_text())
    assert set(figures["speed"]) == {"float32, not compiled", "bfloat16, not compiled"}
    for table in figures["speed"].values():
        assert all(cost["gigaflop"] > 0 and cost["ceiling"] > 0 for cost in table["methods"].values())
    race = {row["method"]: row for row in figures["race"]}
    assert set(race) == set(benchmark.METHODS)
    plain, static = race["ours, settings of the static batch"], race["static batch"]
    # the same settings from the same starts: what ours reaches, a static batch reaches, at the price of waiting
    assert plain["solved_by_pair"] == static["solved_by_pair"] and static["evaluations"] >= plain["evaluations"]
    assert race["ours"]["occupancy"] == 1.0 and 0 <= race["ours"]["padding"] < 0.5
    few = race["ours, few steps from the learned start"]
    assert few["evaluations"] <= 3 * 6 and all(steps <= 5 for steps in few["steps_by_pair"])
    assert few["solved_by_pair"] == [steps <= 5 for steps in race["ours, learned start"]["steps_by_pair"]]
    ceilings = figures["machine"]["ceilings_gigaflop_per_second"]
    assert ceilings.keys() == {"float32", "bfloat16"} and min(ceilings.values()) > 0
    runs = figures["growth"]["runs"]
    assert [run["problems"] for run in runs] == [10]
    assert len(figures["growth"]["steps"]) == 12
    printed = capsys.readouterr().out
    assert "One step of one problem" in printed and "PEFT prompt tuning" in printed


def test_the_whole_command_is_what_the_shell_runs(tmp_path, capsys, start):
    """Both ways make a run with the same baselines and storing; only how contents are found differs."""
    output = tmp_path / "figures.json"
    methods = ["--methods", "ours", "ours, learned start", "one pair at a time"]
    arguments = [*TINY.split(), "--start", start, "--part", "command", *methods, "--output", str(output)]
    assert benchmark.main(arguments) == 0
    rows = json.loads(output.read_text())["command"]
    assert list(rows) == methods[1:]
    for row in rows.values():
        assert row["reconstructed"]["n"] == 3 and row["spent"].keys() == {
            "loading",
            "compiling",
            "optimizing",
            "baselines",
            "storing",
        }
        assert sum(row["spent"].values()) < row["seconds"], "the parts of a command take longer than the whole"
    assert rows["ours"]["reconstructed"]["count"] == 3
    assert "a pair; 3 of 3 reconstructed" in capsys.readouterr().out


def test_flop_counts_the_blocks_and_the_head(tiny):
    """Counted by hand for a Llama: attention 2 D (D + D_kv), MLP 3 D F, norms 2 D a layer, and the last norm."""
    model = tiny.model.config
    D, F, kv = model.hidden_size, model.intermediate_size, model.num_key_value_heads * model.head_dim
    blocks = model.num_hidden_layers * (2 * D * (D + kv) + 3 * D * F + 2 * D) + D
    assert flop(tiny, 10, 3) == 4 * (10 * blocks + 3 * D * model.vocab_size)


def test_bad_input_is_explained(tmp_path, capsys):
    output = str(tmp_path / "figures.json")
    assert benchmark.main(["--model", "tiny", "--K", "4000", "--part", "race", "--output", output]) == 2
    assert "the window has 512" in capsys.readouterr().err
