"""Where contents are put, and what is believed of their files: one each as they arrive, many to a file later.

A record names the file that its content was put into. When a row of numbers is full, its files are bound into one
*volume*, whose name follows from the number, so that no record has to be written again: what is not found under its own
name is looked for in its volume. A volume is complete on disk before the files that it holds are removed.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from dcm_helpers.errors import InputError, require
from dcm_helpers.files import write_safely

if TYPE_CHECKING:
    from dcm_helpers.shapes import Content


VOLUME = 256
"""Contents in a volume."""


class Shelf:
    """The content files of a run folder."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._numbers: dict[int, int] = {}

    def put(self, stage: int, key: str, content: Content) -> dict:
        """Write a content into a file of its own. Returns its place, as records have it."""
        number = self._next_number(stage)
        if number % VOLUME == 1:  # the row before is full, and all of it has records
            self.bind(stage)
        return write_contents(self._folder / name_of(stage, number), {key: content})[key]

    def get(self, record: dict) -> Content:
        """The content that a record speaks of, (K, D).

        Raises:   InputError if it is missing, damaged, or not what the record speaks of
        """
        # a name from a file must not lead out of the folder
        name, key = Path(record["content"]["file"]).name, record["content"]["key"]
        if number := re.fullmatch(r"content-stage(\d)-(\d+)\.safetensors", name):
            volume = self._folder / volume_of(int(number[1]), int(number[2]))
            # in this order: what is bound meanwhile by the process that writes is found in the volume
            if not (self._folder / name).is_file() and volume.is_file():
                return read_content(volume, Path(name).stem, record)
        return read_content(self._folder / name, key, record)

    def bind(self, stage: int) -> None:
        """Bind the single files of every full row of numbers; one that cannot be read stays as it is."""
        files = self.files(stage)
        last = max((number for number, _ in files), default=0)
        rows: dict[str, list[Path]] = {}
        for number, path in sorted(files):
            if -(-number // VOLUME) * VOLUME <= last:
                rows.setdefault(volume_of(stage, number), []).append(path)
        for name, paths in rows.items():
            volume = self._folder / name
            if not volume.is_file():  # or else a kill came before its files were removed
                bound = {path.stem: tensor for path in paths if (tensor := only_tensor(path)) is not None}
                write_contents(volume, bound)
            held = keys_of(volume)
            for path in paths:
                if path.stem in held:
                    path.unlink()

    def files(self, stage: int) -> list[tuple[int, Path]]:
        """The files of single contents of a stage, with their numbers; copies under other names are not ours."""
        return self._numbered(rf"content-stage{stage}-(\d+)\.safetensors")

    def volumes(self, stage: int) -> list[tuple[int, Path]]:
        """The volumes of a stage, with the last number of each."""
        return self._numbered(rf"contents-stage{stage}-\d+-(\d+)\.safetensors")

    def clear(self, stage: int) -> None:
        """Remove all files of a stage's contents, which were packed elsewhere."""
        for _, path in (*self.files(stage), *self.volumes(stage)):
            path.unlink()

    def _numbered(self, pattern: str) -> list[tuple[int, Path]]:
        found = [(re.fullmatch(pattern, path.name), path) for path in self._folder.iterdir()]
        return [(int(match[1]), path) for match, path in found if match]

    def _next_number(self, stage: int) -> int:
        """A number that no content of the stage has yet."""
        if stage not in self._numbers:
            numbers = [number for number, _ in (*self.files(stage), *self.volumes(stage))]
            self._numbers[stage] = max(numbers, default=0)
        self._numbers[stage] += 1
        return self._numbers[stage]


def name_of(stage: int, number: int) -> str:
    """Name of the file of a single content."""
    return f"content-stage{stage}-{number:05d}.safetensors"


def volume_of(stage: int, number: int) -> str:
    """Name of the volume that a content of a number belongs into."""
    last = -(-number // VOLUME) * VOLUME
    return f"contents-stage{stage}-{last - VOLUME + 1:05d}-{last:05d}.safetensors"


def write_contents(path: Path, contents: dict[str, Content]) -> dict[str, dict]:
    """Write contents into one file by key.

    Returns:  by key, where each is, as records say it
    """
    from safetensors.torch import save

    contents = {key: content.contiguous() for key, content in contents.items()}
    write_safely(path, save(contents))
    return {key: {"file": path.name, "key": key, "sha256": hash_of(content)} for key, content in contents.items()}


def read_content(path: Path, key: str, record: dict) -> Content:
    """A content from a file, (K, D), checked against what the record that speaks of it says.

    Raises:   InputError if the file is missing or damaged, or what it holds is not what the record speaks of
    """
    place = record["content"]
    whose = f"the content of {record['problem']!r}"
    way_out = "put the file back, or delete the record's line to have its problem redone"
    require(path.is_file(), f"{path} is missing; it holds {whose}; {way_out}")
    try:
        with safe_open(path, framework="pt") as tensors:
            require(key in tensors.keys(), f"{path} does not hold {whose}; {way_out}")  # noqa: SIM118
            content = tensors.get_tensor(key)
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


def keys_of(path: Path) -> set[str]:
    """The keys of a file of contents; none of one that cannot be read."""
    try:
        with safe_open(path, framework="pt") as tensors:
            return set(tensors.keys())
    except (SafetensorError, OSError):
        return set()


def only_tensor(path: Path) -> Content | None:
    """The content in a file that holds one; None where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as tensors:
            (key,) = tensors.keys()
            return tensors.get_tensor(key)
    except (SafetensorError, OSError, ValueError):
        return None
