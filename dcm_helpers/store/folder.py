"""One run folder: written so that nothing finished is lost, resumed by the same command, read back by anyone.

A record is appended only after its content is safely on disk. A line that was cut off by a crash is dropped and its
problem done again. Tensors are safetensors, never pickle. Looking at records needs no torch, so it is imported where
tensors are.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from dcm_helpers.errors import InputError, require
from dcm_helpers.files import finite, is_there, json_line, parsed_json, read_text, write_safely
from dcm_helpers.forms import checked
from dcm_helpers.store.contents import Shelf, write_contents
from dcm_helpers.store.curve import shorter_curve
from dcm_helpers.store.earlier import as_today
from dcm_helpers.store.identity import differing, found_again
from dcm_helpers.store.schema import RECORDS, Curve, Failure, Manifest, Summary
from dcm_helpers.store.sense import require_sense

if TYPE_CHECKING:
    import torch

    from dcm_helpers.shapes import Content


STAGES = (1, 2, 3)
MANIFEST = "run.json"
SUMMARY = "summary.json"
HISTORY = "history.jsonl"
FAILURES = "failures.jsonl"
"""Problems that were given up."""


class FolderInUse(InputError):
    """Another process is writing the folder."""


class RunFolder:
    """The files of one run. Open one with :meth:`create` to write and with :meth:`read` to look at it."""

    def __init__(self, path: Path):
        self.path = path
        self._lock: FileLock | None = None
        self._shelf = Shelf(path)

    @classmethod
    def create(cls, path: Path, identity: dict, manifest: dict, resume: bool = True) -> "RunFolder":
        """Make a run folder, or go on with the one that an equal configuration made.

        Args:     identity  what must be equal for two runs to share a folder; manifest  what else to write down once;
                  resume  False refuses a folder that exists
        Raises:   FolderInUse if another process writes it; InputError if it belongs to another configuration, or
                  exists against ``resume``; OSError if it cannot be written
        """
        above = next(each for each in (path, *path.parents) if each.exists())
        require(above.is_dir(), f"{above} is a file; expected a folder for run folders, or a new name, as --output-dir")
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
        for name in [MANIFEST, SUMMARY, HISTORY, FAILURES, *map(records_file, STAGES)]:
            # what is written must not land elsewhere
            require(not (path / name).is_symlink(), f"{path / name} is a link; put the file itself there")
            is_there(path / name)
        if (path / MANIFEST).exists():
            require(resume, f"{path} exists; choose another --run-name, or leave out --no-resume to continue it")
            differences = list(differing(found_again(self.manifest["identity"], identity), identity))
            require(
                not differences,
                f"{path} was made with other settings; choose another --run-name, or use the same settings to continue "
                "it. Different:\n  " + "\n  ".join(differences),
            )
        else:
            orphans = [records_file(stage) for stage in STAGES if (path / records_file(stage)).exists()]
            require(
                not orphans,
                f"{path} has {', '.join(orphans)} and no {MANIFEST}, which says what of; put it back, or "
                "choose another --run-name",
            )
            self.write_json(MANIFEST, {"identity": identity, **manifest})
        for name in [*map(records_file, STAGES), HISTORY, FAILURES]:
            self._drop_torn_line(name)
        for stage in STAGES:
            self._shelf.bind(stage)

    @classmethod
    def read(cls, path: Path) -> "RunFolder":
        """Open an existing run folder for reading.

        Raises:   InputError if there is no run in it
        """
        require((path / MANIFEST).is_file(), f"{path} is no run folder: it has no {MANIFEST}")
        folder = cls(path)
        _ = folder.manifest  # checked at once
        return folder

    def close(self) -> None:
        """Let other processes write."""
        if self._lock is not None:
            self._lock.release()

    @property
    def manifest(self) -> dict:
        """What ``run.json`` holds: identity, Generator, data, versions, sessions."""
        way_out = "put it back as it was, or use another --run-name"
        return checked(self.read_json(MANIFEST, way_out), Manifest, str(self.path / MANIFEST), way_out)

    def read_json(self, name: str, way_out: str = "put it back as it was") -> dict:
        """The object in one of the folder's JSON files.

        Raises:   InputError if there is none
        """
        where = self.path / name
        require(is_there(where), f"{where} is missing; {way_out}")
        value = parsed_json(read_text(where), str(where), way_out)
        require(isinstance(value, dict), f"{where} holds {value!r} in place of an object; {way_out}")
        return value

    def write_json(self, name: str, value: dict) -> None:
        """Replace one of the folder's JSON files as a whole."""
        write_safely(self.path / name, json.dumps(finite(value), indent=2, ensure_ascii=False).encode() + b"\n")

    def records(self, stage: int) -> list[dict]:
        """The latest record of each problem of a stage, in the order they were first finished."""

        def check(record: dict, where: str, way_out: str) -> dict:
            return require_sense(record, stage, where, way_out)

        lines = self._lines(records_file(stage), RECORDS[stage], as_today, check)
        return list({record["problem"]: record for record in lines}.values())

    def histories(self) -> dict[tuple[int, str], dict]:
        """Thinned loss curves by (stage, problem)."""
        return {(line["stage"], line["problem"]): line for line in self._lines(HISTORY, Curve)}

    def diagnosis(self) -> dict[str, dict]:
        """What was found out after failed gates, by stage; empty where none failed."""
        return self._in_summary("diagnosis") or {}

    @property
    def halted_after(self) -> int | None:
        """The stage whose failed gate ended the run, if one did."""
        return self._in_summary("halted_after")

    def _in_summary(self, name: str) -> Any:
        """A field of the summary, None without one."""
        if not is_there(self.path / SUMMARY):
            return None
        way_out = "delete it; it is made anew"
        return checked(self.read_json(SUMMARY, way_out), Summary, str(self.path / SUMMARY), way_out).get(name)

    def append(self, stage: int, record: dict, content: "Content | None" = None, history: dict | None = None) -> None:
        """Store one finished problem: its content, then its loss curve, then its record."""
        if content is not None:
            record = {**record, "content": self._shelf.put(stage, record["problem"], content)}
        if history is not None:
            self._append_line(HISTORY, {"stage": stage, "problem": record["problem"], **history})
        self._append_line(records_file(stage), record)

    def note_failure(self, problem: str, reason: str) -> None:
        """Note why a problem was given up; the same command tries it again."""
        self._append_line(FAILURES, {"problem": problem, "reason": reason})

    def failures(self) -> dict[str, str]:
        """The problems that were given up and have no result since, each with what happened last."""
        done = {record["problem"] for stage in (1, 2) for record in self.records(stage)}
        noted = {line["problem"]: line["reason"] for line in self._lines(FAILURES, Failure)}
        return {problem: reason for problem, reason in noted.items() if problem not in done}

    def content(self, record: dict) -> "Content":
        """The stored content of a record, (K, D).

        Raises:   InputError if it is missing, damaged, or not what the record speaks of
        """
        return self._shelf.get(record)

    def pack(self, stage: int, dtype: "torch.dtype", points: int) -> None:
        """Bring a finished stage into few small files: one of contents, in a precision, and shorter loss curves.

        Records go last and name the new file, so an interruption at any moment leaves a folder that reads as before.

        Args:     points  how many points of each loss curve are kept, the first and the last among them
        """
        records, path = self.records(stage), self.path / packed_file(stage)
        if any(record["content"]["file"] != path.name for record in records):
            self._pack(stage, records, dtype, points)
        self._shelf.clear(stage)  # also of what an earlier packing had no time to remove

    def _pack(self, stage: int, records: Sequence[dict], dtype: "torch.dtype", points: int) -> None:
        """Write what a packed stage has, contents first and records last."""
        contents = {record["problem"]: self.content(record).to(dtype) for record in records}
        packed = write_contents(self.path / packed_file(stage), contents)
        places = {name_of(record["content"]): packed[record["problem"]] for record in records}
        curves = [shorter_curve(line, points) for line in self._lines(HISTORY, Curve)]
        self._rewrite(HISTORY, curves)
        for other in sorted(STAGES, key=lambda number: number == stage):  # other stages may speak of these contents
            found = self.records(other)
            moved = [{**each, "content": places.get(name_of(each["content"]), each["content"])} for each in found]
            self._rewrite(records_file(other), moved)

    def packed(self, stage: int) -> bool:
        """Whether a stage was packed to the last file, which is the last thing that is done with it."""
        name = packed_file(stage)
        return (
            (self.path / name).is_file()
            and all(record["content"]["file"] == name for record in self.records(stage))
            and not self._shelf.files(stage)
            and not self._shelf.volumes(stage)
        )

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
            # a link at its place could lead anywhere, and is refused
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            with open(os.open(path, flags, 0o666), "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            if path.exists():
                os.truncate(path, before)
            raise

    def _lines(
        self,
        name: str,
        form: type,
        today: Callable[[dict], dict] = lambda line: line,
        check: Callable[[dict, str, str], dict] = lambda line, *_: line,
    ) -> Iterator[dict]:
        """The objects of a JSONL file; a last line without its end is being written, or torn, and left out.

        Args:     form  what each is to have;  today  makes it of what an earlier version wrote;  check  is handed
                  it with its place and the way out, and refuses it if it makes no sense
        Raises:   InputError naming the line that is not as it should be
        """
        path = self.path / name
        if not is_there(path):
            return
        for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
            where, way_out = f"{path}, line {number}", "delete that line to have its problem redone"
            try:
                value = parsed_json(line.decode(), where, way_out)
                require(isinstance(value, dict), f"{where} holds {value!r} in place of an object; {way_out}")
                value = today(value)
            except (UnicodeDecodeError, LookupError, TypeError, AttributeError) as error:
                raise InputError(f"{where} is damaged ({type(error).__name__}: {error}); {way_out}") from error
            yield check(checked(value, form, where, way_out), where, way_out)

    def _drop_torn_line(self, name: str) -> None:
        path = self.path / name
        if path.exists():
            data = path.read_bytes()
            if data and not data.endswith(b"\n"):
                os.truncate(path, data.rfind(b"\n") + 1)


def records_file(stage: int) -> str:
    """Name of a stage's records file."""
    return f"stage{stage}.jsonl"


def packed_file(stage: int) -> str:
    """Name of the file that holds all contents of a finished stage."""
    return f"contents-stage{stage}.safetensors"


def name_of(place: dict) -> tuple[str, str]:
    """What tells one content from others."""
    return place["file"], place["key"]
