"""One run folder: written so that nothing finished is lost, resumed by the same command, read back by anyone.

A record is appended only after its content is safely on disk. A line that was cut off by a crash is dropped and its
problem done again. Tensors are safetensors, never pickle. Looking at records needs no torch, so it is imported where
tensors are.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from safetensors import safe_open

from dcm_helpers.config import InputError, require
from dcm_helpers.files import finite, json_line, write_safely
from dcm_helpers.runs.earlier import as_today

if TYPE_CHECKING:
    import torch

    from dcm_helpers.shapes import Content


STAGES = (1, 2, 3)
MANIFEST = "run.json"
SUMMARY = "summary.json"
HISTORY = "history.jsonl"


class FolderInUse(InputError):
    """Another process is writing the folder."""


class RunFolder:
    """The files of one run. Open one with :meth:`create` to write and with :meth:`read` to look at it."""

    def __init__(self, path: Path):
        self.path = path
        self._lock: FileLock | None = None
        self._content_files: dict[int, int] = {}

    @classmethod
    def create(cls, path: Path, identity: dict, manifest: dict, resume: bool = True) -> "RunFolder":
        """Make a run folder, or go on with the one that an equal configuration made.

        Args:     identity  what must be equal for two runs to share a folder; manifest  what else to write down once;
                  resume  False refuses a folder that exists
        Raises:   FolderInUse if another process writes it; InputError if it belongs to another configuration, or
                  exists against ``resume``; OSError if it cannot be written
        """
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path)
        folder._lock = FileLock(path / ".lock", timeout=0)
        try:
            folder._lock.acquire()
        except Timeout as error:
            raise FolderInUse(f"{path} is being written by another process; wait for it, or use --run-name") from error
        try:
            folder._open(json.loads(json.dumps(identity)), manifest, resume)
        except BaseException:
            folder.close()
            raise
        return folder

    def _open(self, identity: dict, manifest: dict, resume: bool) -> None:
        """Check that the folder is new or belongs to the same configuration, and mend what a crash left."""
        path = self.path
        if (path / MANIFEST).exists():
            require(resume, f"{path} exists; choose another --run-name, or leave out --no-resume to continue it")
            differences = list(differing(self.manifest["identity"], identity))
            require(
                not differences,
                f"{path} was made with other settings; choose another --run-name, or use the same settings to continue "
                "it. Different:\n  " + "\n  ".join(differences),
            )
        else:
            self.write_json(MANIFEST, {"identity": identity, **manifest})
        for name in [*map(records_file, STAGES), HISTORY]:
            self._drop_torn_line(name)

    @classmethod
    def read(cls, path: Path) -> "RunFolder":
        """Open an existing run folder for reading.

        Raises:   InputError if there is no run in it
        """
        require((path / MANIFEST).is_file(), f"{path} is no run folder: it has no {MANIFEST}")
        return cls(path)

    def close(self) -> None:
        """Let other processes write."""
        if self._lock is not None:
            self._lock.release()

    @property
    def manifest(self) -> dict:
        """What ``run.json`` holds: identity, Generator, data, versions, sessions."""
        return self.read_json(MANIFEST)

    def read_json(self, name: str) -> dict:
        """The object in one of the folder's JSON files."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            path = self.path / name
            raise InputError(f"{path} is damaged ({error.msg}); delete it or use another --run-name") from error

    def write_json(self, name: str, value: dict) -> None:
        """Replace one of the folder's JSON files as a whole."""
        write_safely(self.path / name, json.dumps(finite(value), indent=2, ensure_ascii=False).encode() + b"\n")

    def records(self, stage: int) -> list[dict]:
        """The latest record of each problem of a stage, in the order they were first finished."""
        lines = (as_today(line) for line in self._lines(records_file(stage)))
        return list({record["problem"]: record for record in lines}.values())

    def histories(self) -> dict[tuple[int, str], dict]:
        """Thinned loss curves by (stage, problem)."""
        return {(line["stage"], line["problem"]): line for line in self._lines(HISTORY)}

    def diagnosis(self) -> dict[str, dict]:
        """What was found out after failed gates, by stage; empty where none failed."""
        return self.read_json(SUMMARY).get("diagnosis", {}) if (self.path / SUMMARY).exists() else {}

    @property
    def halted_after(self) -> int | None:
        """The stage whose failed gate ended the run, if one did."""
        return self.read_json(SUMMARY).get("halted_after") if (self.path / SUMMARY).exists() else None

    def append(self, stage: int, record: dict, content: "Content | None" = None, history: dict | None = None) -> None:
        """Store one finished problem: its content, then its loss curve, then its record."""
        from safetensors.torch import save

        if content is not None:
            key = record["problem"]
            name = f"content-stage{stage}-{self._next_number(stage):05d}.safetensors"
            write_safely(self.path / name, save({key: content.contiguous()}))
            record = {**record, "content": {"file": name, "key": key}}
        if history is not None:
            self._append_line(HISTORY, {"stage": stage, "problem": record["problem"], **history})
        self._append_line(records_file(stage), record)

    def content(self, record: dict) -> "Content":
        """The stored content of a record, (K, D).

        Raises:   InputError if its file is missing or does not hold it
        """
        place = record["content"]
        # a name from a file must not lead out of the folder
        path = self.path / Path(place["file"]).name
        require(path.is_file(), f"{path} is missing; it holds the content of {record['problem']!r}")
        with safe_open(path, framework="pt") as tensors:
            require(place["key"] in tensors.keys(), f"{path} does not hold the content of {record['problem']!r}")  # noqa: SIM118
            return tensors.get_tensor(place["key"])

    def pack(self, stage: int, dtype: "torch.dtype", points: int) -> None:
        """Bring a finished stage into few small files: one of contents, in a precision, and shorter loss curves.

        Records go last and name the new file, so an interruption at any moment leaves a folder that reads as before.

        Args:     points  how many points of each loss curve are kept, the first and the last among them
        """
        from safetensors.torch import save

        records = self.records(stage)
        name = packed_file(stage)
        if all(record["content"]["file"] == name for record in records):
            return
        contents = {record["problem"]: self.content(record).to(dtype).contiguous() for record in records}
        write_safely(self.path / name, save(contents))
        places = {tuple(record["content"].values()): {"file": name, "key": record["problem"]} for record in records}
        curves = [shorter_curve(line, points) for line in self._lines(HISTORY)]
        self._rewrite(HISTORY, curves)
        for other in sorted(STAGES, key=lambda number: number == stage):  # other stages may speak of these contents
            found = self.records(other)
            moved = [
                {**each, "content": places.get(tuple(each["content"].values()), each["content"])} for each in found
            ]
            self._rewrite(records_file(other), moved)
        for path in self.path.glob(f"content-stage{stage}-*.safetensors"):
            path.unlink()

    def _next_number(self, stage: int) -> int:
        """A number that no content file of the stage has yet."""
        if stage not in self._content_files:
            files = self.path.glob(f"content-stage{stage}-*.safetensors")
            self._content_files[stage] = max((int(file.stem.rsplit("-", 1)[1]) for file in files), default=0)
        self._content_files[stage] += 1
        return self._content_files[stage]

    def _rewrite(self, name: str, lines: Sequence[dict]) -> None:
        """Replace a JSONL file as a whole; one that is not there stays away."""
        if (self.path / name).exists():
            write_safely(self.path / name, b"".join(map(json_line, lines)))

    def _append_line(self, name: str, value: dict) -> None:
        """Append one line and see it onto the disk; a line that does not fit is taken back."""
        path = self.path / name
        line = json_line(value)
        before = path.stat().st_size if path.exists() else 0
        try:
            with open(path, "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            if path.exists():
                os.truncate(path, before)
            raise

    def _lines(self, name: str) -> Iterator[dict]:
        """The objects of a JSONL file; a last line without its end is being written, or torn, and left out."""
        path = self.path / name
        if not path.exists():
            return
        for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(
                    f"{path}, line {number} is damaged; delete that line to have its problem redone"
                ) from error

    def _drop_torn_line(self, name: str) -> None:
        path = self.path / name
        if path.exists():
            data = path.read_bytes()
            if data and not data.endswith(b"\n"):
                os.truncate(path, data.rfind(b"\n") + 1)


def shorter_curve(curve: dict, points: int) -> dict:
    """A loss curve with at most some points, evenly spaced, and losses of four digits."""
    last = len(curve["steps"]) - 1
    kept = sorted({round(last * place / max(points - 1, 1)) for place in range(points)})
    losses = [[float(f"{loss:.4g}") if loss is not None else None for loss in curve["losses"][index]] for index in kept]
    return {**curve, "steps": [curve["steps"][index] for index in kept], "losses": losses}


def records_file(stage: int) -> str:
    """Name of a stage's records file."""
    return f"stage{stage}.jsonl"


def packed_file(stage: int) -> str:
    """Name of the file that holds all contents of a finished stage."""
    return f"contents-stage{stage}.safetensors"


def differing(old: dict, new: dict, prefix: str = "") -> Iterator[str]:
    """One line for each setting in which two nested configurations differ."""
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from differing(before, now, f"{prefix}{key}.")
        elif before != now:
            yield f"{prefix}{key}: {before!r} there, {now!r} now"
