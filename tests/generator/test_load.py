"""Loading Generators: what is frozen, what is recorded, and what happens when one cannot be had."""

import dataclasses
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from dcm_helpers.config import GeneratorConfig
from dcm_helpers.errors import InputError
from dcm_helpers.fetched import PACKAGED
from dcm_helpers.generator import load_generator
from dcm_helpers.generator.check import checked
from dcm_helpers.generator.load import freeze


def test_weights_are_frozen(tiny):
    assert not any(parameter.requires_grad for parameter in tiny.model.parameters())
    assert not tiny.model.training


def test_tiny_is_small_and_reads_any_text(tiny):
    assert tiny.model.num_parameters() < 1_100_000
    assert sum(path.stat().st_size for path in Path(PACKAGED["tiny"]).iterdir()) < 4_000_000
    for text in ("What is it?", "  two  spaces ", "Ünïcode € 東京", "<eos> is text here"):
        assert tiny.text(tiny.target_ids(text)) == text
        assert tiny.target_ids(text).count(tiny.eos_id) == 1


def test_fingerprint_tells_weights_and_precision_apart(tiny, tiny64):
    again = load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float32"))
    assert again.fingerprint() == tiny.fingerprint() != tiny64.fingerprint()
    again.model.get_input_embeddings().weight[0, 0] += 1e-3
    assert again.fingerprint() != tiny.fingerprint()


def test_bos_stands_where_the_tokenizer_puts_it(tiny):
    """The convention is read off the tokenizer, as Gemma's and Llama 3's add BOS and SmolLM2's does not."""

    class AddsBos:
        eos_token_id, bos_token_id = 0, 7

        def __call__(self, text, **_):
            return {"input_ids": [7, 5]}

    assert tiny.bos_ids == ()
    assert freeze("with BOS", tiny.model, AddsBos()).bos_ids == (7,)
    AddsBos.eos_token_id = None
    with pytest.raises(InputError, match="no EOS"):
        freeze("endless", tiny.model, AddsBos())


def test_saved_folder_loads(tiny, tmp_path):
    tiny.model.save_pretrained(tmp_path)
    tiny.tokenizer.save_pretrained(tmp_path)
    local = load_generator(GeneratorConfig(model=str(tmp_path), device="cpu", dtype="bfloat16"))
    assert local.dtype is torch.bfloat16 and local.width == 128


def test_hub_that_does_not_answer_fails_within_seconds(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(InputError, match=r"'smolm2' is not on this machine.*\n.*check the spelling"):
        load_generator(GeneratorConfig(model="smolm2", device="cpu"))
    assert time.monotonic() - started < 10


def saved(tiny, folder):
    """A folder with the tiny Generator, whose weights are its own."""
    tiny.model.save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    return folder


def load(folder):
    return load_generator(GeneratorConfig(model=str(folder), device="cpu", dtype="float32"))


def rewrite(folder, change):
    """Change the weights of a saved folder."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def test_weights_that_are_missing_are_named(tiny, tmp_path):
    """transformers would draw them at random, with a warning."""
    folder = saved(tiny, tmp_path)
    rewrite(folder, lambda weights: [weights.pop(name) for name in sorted(weights)[3:8]])
    with pytest.raises(InputError, match=r"lacks 5 of its weights \(.*layers.*, \.\.\.\)"):
        load(folder)


def test_weights_that_are_no_numbers_are_told(tiny, tmp_path):
    folder = saved(tiny, tmp_path)
    rewrite(folder, lambda weights: weights["model.norm.weight"].fill_(float("nan")))
    with pytest.raises(InputError, match="logits that are no numbers in float32"):
        load(folder)


@pytest.mark.parametrize("cut", [0, 7, 1000])
def test_weights_that_were_cut_are_told_in_one_line(tiny, tmp_path, cut):
    folder = saved(tiny, tmp_path)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="cannot be loaded"):
        load(folder)


def test_only_safetensors_are_read(tiny, tmp_path):
    """Other weight files can run code when they are opened."""
    folder = saved(tiny, tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="safetensors"):
        load(folder)


def test_an_adapter_is_told_without_asking_the_hub(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    folder = saved(tiny, tmp_path)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/large"}')
    with pytest.raises(InputError, match="is an adapter, not a model"):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", ["", "null", "[]", "{", '{"model_type": "nothing"}', "[" * 100_000])
def test_odd_files_of_a_folder_end_in_one_error(tiny, tmp_path, name, content):
    folder = saved(tiny, tmp_path)
    (folder / name).write_text(content)
    try:
        load(folder)  # some are read as if they were not there
    except InputError as error:
        assert len(str(error).splitlines()) <= 2


def test_a_received_run_fetches_nothing_unasked(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(InputError, match=r"'someone/model' is not on this machine .* dcm\.load_generator"):
        load_generator(GeneratorConfig(model="someone/model", device="cpu"), fetch=False)


def test_a_generator_that_lacks_what_is_needed_is_told_in_one_line(tiny):
    """RWKV cannot leave padding out; T5's kind has no head of this form; an EOS may have no embedding."""
    config = CONFIG_MAPPING["rwkv"](vocab_size=512, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32)
    model = AutoModelForCausalLM.from_config(config)
    for parameter_ in model.parameters():
        torch.nn.init.normal_(parameter_, std=0.3) if parameter_.dim() > 1 else None
    with pytest.raises(InputError, match="rwkv is changed by padding before a row"):
        checked(freeze("rwkv", model, tiny.tokenizer))
    with pytest.raises(InputError, match="ends a text with token 9999, and has embeddings for 512"):
        checked(dataclasses.replace(tiny, eos_id=9999))
    assert checked(tiny) is tiny


def test_a_device_that_torch_has_no_code_for_is_told():
    with pytest.raises(InputError, match="device 'hpu' cannot be used here"):
        load_generator(GeneratorConfig(model="tiny", device="hpu"))
