"""What is fastest here: decided by seconds that are known, measured for real, kept, and measured again when damaged."""

import json
import math
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import AutoConfig, AutoModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.fetched import PACKAGED
from dcm_helpers.generator import load_generator
from dcm_helpers.generator.attention import GROUPED, grouped_attention
from dcm_helpers.generator.pace import SIZES, measured_pace, of_one_block, pace_of, usual_positions
from dcm_helpers.generator.timing import KERNELS, agreeing_kernels

CPU = torch.device("cpu")


@pytest.fixture
def known(monkeypatch, tmp_path):
    """A machine of known seconds: a function of precision, kernel and positions. Returns how often it was asked."""
    monkeypatch.setattr("dcm_helpers.generator.pace.CACHE", tmp_path)
    asked = []

    def machine(seconds):
        def seconds_of(block, kernel, positions, row):
            asked.append(positions)
            return seconds(str(block.dtype).removeprefix("torch."), kernel, positions)

        monkeypatch.setattr("dcm_helpers.generator.timing.seconds_of", seconds_of)
        return asked

    return machine


def of_tiny():
    return of_one_block(AutoConfig.from_pretrained(PACKAGED["tiny"]))


@pytest.mark.parametrize("share, dtype", [(0.15, "bfloat16"), (0.79, "bfloat16"), (0.9, "float32"), (2.0, "float32")])
def test_bfloat16_has_to_save_a_fifth(known, share, dtype):
    known(lambda name, kernel, positions: positions * (share if name == "bfloat16" else 1))
    pace = measured_pace(of_tiny(), CPU)
    assert pace.dtype == dtype and pace.bfloat16.seconds == pytest.approx(share * pace.float32.seconds)
    assert pace.float32.attention == KERNELS[0] and pace.float32.positions == min(SIZES["cpu"])


def test_kernel_and_size_are_those_of_the_precision(known):
    """In bfloat16 the other kernel is twice as fast; in float32 it does not exist, and large groups pay."""

    def seconds(name, kernel, positions):
        other = kernel == KERNELS[1]
        if name == "float32":
            return math.inf if other else 200 + positions
        return positions * (0.5 if other else 1)

    known(seconds)
    pace = measured_pace(of_tiny(), CPU)
    assert pace.bfloat16.attention == KERNELS[1] and pace.float32.attention == KERNELS[0]
    assert pace.bfloat16.positions == min(SIZES["cpu"]) and pace.float32.positions == max(SIZES["cpu"])


def test_a_kernel_that_computes_something_else_is_not_taken(known, monkeypatch):
    """However fast it is: here one that reads what padding has."""
    known(lambda name, kernel, positions: positions / (1 + 9 * (kernel == GROUPED)))
    assert measured_pace(of_tiny(), CPU).float32.attention == GROUPED

    def unmasked(module, query, key, value, attention_mask, scaling, **asked):
        return grouped_attention(module, query, key, value, None, scaling, **asked)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, GROUPED, unmasked)
    assert measured_pace(of_tiny(), CPU).float32.attention == KERNELS[0]


@pytest.mark.parametrize(
    ("family", "kernels"),
    [
        ("llama", ["sdpa", "eager", GROUPED]),
        ("gemma2", ["eager"]),  # which caps its scores
        ("bloom", ["eager"]),  # which knows no other
    ],
)
def test_a_family_has_the_kernels_that_compute_the_same(family, kernels):
    sizes = dict(hidden_size=32, num_hidden_layers=1, vocab_size=64, intermediate_size=64, head_dim=8)
    heads = dict(n_head=4) if family == "bloom" else dict(num_attention_heads=4, num_key_value_heads=2)
    config = CONFIG_MAPPING[family](**sizes, **heads)
    block = AutoModel.from_config(config, dtype=torch.float32).eval()
    assert agreeing_kernels(block) == kernels


def test_it_is_measured_once_and_said(known, capsys, tmp_path):
    asked = known(lambda name, kernel, positions: positions * (0.5 if name == "bfloat16" else 1))
    first = pace_of(PACKAGED["tiny"], CPU)
    assert "--dtype auto is bfloat16" in capsys.readouterr().err
    count = len(asked)
    assert pace_of(PACKAGED["tiny"], CPU) == first and len(asked) == count and not capsys.readouterr().err
    (kept,) = (tmp_path / "pace").glob("*.json")
    assert "threads" in json.loads(kept.read_text())["on"], "what it holds for can be read"
    for damage in ("", "[]", "{", json.dumps({"float32": {}}), kept.read_text().replace("sdpa", "warp")):
        kept.write_text(damage)
        assert pace_of(PACKAGED["tiny"], CPU) == first
    assert len(asked) == 6 * count


def test_a_generator_is_loaded_as_was_found(known):
    known(lambda name, kernel, positions: positions / (1 + (name == "bfloat16") + (kernel == "eager")))
    auto = load_generator(GeneratorConfig(model="tiny", device="cpu"))
    assert auto.dtype is torch.bfloat16 and auto.model.config._attn_implementation == "eager"
    assert auto.positions_at_once == min(SIZES["cpu"])
    named = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float64"))
    assert named.dtype is torch.float64, "what is named is taken"
    assert named.positions_at_once == usual_positions(CPU)


def test_a_precision_that_cannot_be_computed_is_not_taken(known, capsys):
    known(lambda name, kernel, positions: math.inf if name == "float32" else positions)
    pace = pace_of(PACKAGED["tiny"], CPU)
    assert pace.dtype == "bfloat16" and pace.float32 is None
    assert "cannot be computed in float32" in capsys.readouterr().err
    assert pace_of(PACKAGED["tiny"], CPU) == pace, "kept"


def test_without_any_measurement_what_is_usual_is_taken(known, capsys):
    known(lambda name, kernel, positions: math.inf)
    generator = load_generator(GeneratorConfig(model="tiny", device="cpu"))
    assert "neither in float32 nor in bfloat16" in capsys.readouterr().err
    assert generator.precision == "float32" and generator.positions_at_once == usual_positions(CPU)


def test_it_holds_for_the_same_block_on_the_same_machine_alone(known, tmp_path, monkeypatch):
    """A folder elsewhere has the same one; another number of threads, another width or another torch does not."""
    asked = known(lambda name, kernel, positions: positions)
    pace_of(PACKAGED["tiny"], CPU)
    count = len(asked)
    pace_of(shutil.copytree(PACKAGED["tiny"], tmp_path / "elsewhere"), CPU)
    assert len(asked) == count
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    pace_of(PACKAGED["tiny"], CPU)
    monkeypatch.setattr(torch, "__version__", "0")
    pace_of(PACKAGED["tiny"], CPU)
    wide = AutoConfig.from_pretrained(PACKAGED["tiny"])
    wide.hidden_size *= 2
    wide.save_pretrained(tmp_path / "wide")
    pace_of(tmp_path / "wide", CPU)
    assert len(asked) == 4 * count


def test_what_cannot_be_kept_is_used_all_the_same(known, tmp_path, capsys):
    asked = known(lambda name, kernel, positions: positions)
    (tmp_path / "pace").write_text("no folder")
    assert pace_of(PACKAGED["tiny"], CPU).dtype == "float32"
    assert "It is not kept" in capsys.readouterr().err
    count = len(asked)
    assert pace_of(PACKAGED["tiny"], CPU) is not None and len(asked) == 2 * count


def test_of_many_at_once_one_measures(known, tmp_path):
    """The others wait for it, and take what it kept."""
    asked = known(lambda name, kernel, positions: time.sleep(0.01) or positions)
    pace_of(PACKAGED["tiny"], CPU)
    count = len(asked)
    (kept,) = (tmp_path / "pace").glob("*.json")
    kept.unlink()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: pace_of(PACKAGED["tiny"], CPU), range(4)))
    assert len(set(found)) == 1 and len(asked) == 2 * count


def test_a_real_block_is_measured_without_drawing_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dcm_helpers.generator.pace.CACHE", tmp_path)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    pace = pace_of(PACKAGED["tiny"], CPU)
    assert torch.equal(torch.rand(3), expected)
    assert 0 < pace.float32.seconds < 5 and pace.bfloat16.positions in SIZES["cpu"]
    assert pace_of(tmp_path, CPU) is None and "cannot be measured" in capsys.readouterr().err
