"""A content's file: written whole, and believed only as far as it can be checked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from dcm_helpers.errors import InputError, require
from dcm_helpers.files import write_safely

if TYPE_CHECKING:
    from dcm_helpers.shapes import Content


def write_contents(path: Path, contents: dict[str, Content]) -> dict[str, dict]:
    """Write contents into one file by key.

    Returns:  by key, where each is, as records say it
    """
    from safetensors.torch import save

    contents = {key: content.contiguous() for key, content in contents.items()}
    write_safely(path, save(contents))
    return {key: {"file": path.name, "key": key, "sha256": hash_of(content)} for key, content in contents.items()}


def read_content(folder: Path, record: dict) -> Content:
    """The stored content of a record, (K, D).

    Raises:   InputError if its file is missing or damaged, or what it holds is not what the record speaks of
    """
    place = record["content"]
    # a name from a file must not lead out of the folder
    path = folder / Path(place["file"]).name
    whose = f"the content of {record['problem']!r}"
    way_out = "put the file back, or delete the record's line to have its problem redone"
    require(path.is_file(), f"{path} is missing; it holds {whose}; {way_out}")
    try:
        with safe_open(path, framework="pt") as tensors:
            require(place["key"] in tensors.keys(), f"{path} does not hold {whose}; {way_out}")  # noqa: SIM118
            content = tensors.get_tensor(place["key"])
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({str(error).splitlines()[0]}); it holds {whose}; {way_out}") from error
    right = content.is_floating_point() and content.dim() == 2 and len(content) == record.get("K", len(content))
    found = f"{str(content.dtype).removeprefix('torch.')} of shape {tuple(content.shape)}"
    require(right, f"{path} holds {found} as {whose}; expected {record.get('K', 'some')} vectors; {way_out}")
    require(bool(content.isfinite().all()), f"{path} holds numbers that are not finite as {whose}; {way_out}")
    expected = place.get("sha256")
    require(
        expected is None or hash_of(content) == expected,
        f"{path} holds other numbers as {whose} than were stored; {way_out}",
    )
    return content


def hash_of(content: Content) -> str:
    """SHA-256 of a content's numbers as they are stored."""
    import torch

    return hashlib.sha256(content.contiguous().view(torch.uint8).numpy()).hexdigest()
