"""A fleet's folder: fleet.json, nodes/NAME as copies of what the nodes measure, merged/ as `merge` makes of them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from inferometer.errors import StoreError, UsageError
from inferometer.planning.request import from_builtins
from inferometer.storage import merge
from inferometer.storage.durable import replace_durably, written
from inferometer.storage.find import FLEET_FILE, MERGED_FOLDER, NODES_FOLDER, Notice
from inferometer.storage.inside import inside
from inferometer.storage.lines import cannot_write
from inferometer.storage.run_directory import CELLS_FILE, RUN_FILE, StoredRun, read_run

_PARTIAL = f".{MERGED_FOLDER}"  # of a merged view that is being written or removed; no reader looks into it


class _Facts(msgspec.Struct):
    """What fleet.json must have."""

    name: str
    tool: str
    selection: str  # as `--nodes` had it
    request: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    files: dict[str, tuple[str, str]]  # the user's, as named then: their keys and names on nodes


@dataclass(frozen=True)
class FleetFolder:
    """Where the driver keeps what comes back."""

    path: Path

    @property
    def begun(self) -> bool:
        """Return whether there is something to go on with."""
        return (self.path / FLEET_FILE).exists()

    def write(self, facts: Mapping[str, Any]) -> None:
        """Write fleet.json, into a new folder or anew; StoreError if it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            _replace(self.path / FLEET_FILE, json.dumps(facts, indent=1).encode())
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def read(self) -> dict[str, Any]:
        """Return what fleet.json says; UsageError where there is none, StoreError if it cannot be read."""
        path = self.path / FLEET_FILE
        try:
            facts: dict[str, Any] = msgspec.json.decode(path.read_bytes())
            from_builtins(msgspec.convert(facts, _Facts).request)
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                f"{self.path} is no fleet's folder: it has no {FLEET_FILE}; give the folder, or the name, of a run with --cluster"
            ) from None
        except (OSError, msgspec.MsgspecError, UsageError) as error:
            words = getattr(error, "strerror", "") or error
            raise StoreError(f"{path} cannot be read ({words}); start a new run") from error
        return facts

    def mirror(self, slug: str) -> Mirror:
        """Return the copy of a node's run, as an earlier session left it."""
        return Mirror(self.path / NODES_FOLDER / slug)

    def slugs(self) -> list[str]:
        """Return the nodes that something came from."""
        return sorted(path.parent.name for path in self.path.glob(f"{NODES_FOLDER}/*/{RUN_FILE}"))

    def read_part(self, slug: str) -> StoredRun:
        """Read the copy of a node's run; errors as `read_run`."""
        return read_run(self.path / NODES_FOLDER / slug)

    def runs(self, notice: Notice = lambda text: None) -> list[StoredRun]:
        """Return the copies that can be read; ``notice`` is told of those that cannot, which stay as they are."""
        found = []
        for slug in self.slugs():
            try:
                found.append(self.read_part(slug))
            except StoreError as error:
                notice(f"{slug} is left out: {error}")
        return found

    def merge(self, runs: Iterable[StoredRun]) -> list[Path]:
        """Write the merged view of the copies anew and return its run directories, one a machine of its kind.

        It is whole or not there, since readers take it in place of the copies.
        """
        self.unmerge()
        partial, out = self.path / _PARTIAL, self.path / MERGED_FOLDER
        measured = [run for run in runs if run.records]
        if not measured:
            return []
        written = [path for path, _, _ in merge.write(merge.merge(measured), partial)]
        try:
            replace_durably(partial, out)
        except OSError as error:
            raise cannot_write(out, error) from error
        return [out / path.relative_to(partial) for path in written]

    def unmerge(self) -> None:
        """Remove the merged view, so that readers take the copies, which may have more; StoreError if it stays."""
        partial, out = self.path / _PARTIAL, self.path / MERGED_FOLDER
        shutil.rmtree(partial, ignore_errors=True)  # what one that was killed has left
        try:
            out.rename(partial)  # at once: a killed process leaves no half of it
        except FileNotFoundError:
            return
        except OSError as error:
            raise cannot_write(out, error) from error
        shutil.rmtree(partial, ignore_errors=True)


class Mirror:
    """A run directory that follows one on a node.

    Records that an earlier session brought stay until this one has brought as many bytes: the node may die before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._info_at = 0
        self._offsets: dict[str, int] = {}
        self._coming: dict[str, Path] = {}  # files of records that are still shorter than the copy of before

    @property
    def position(self) -> tuple[int, dict[str, int]]:
        """Return what to poll by: when run.json was written (ns on the node), and how many bytes of each file of records are here."""
        return self._info_at, dict(self._offsets)

    def take(self, answer: Mapping[str, Any]) -> None:
        """Write what a poll brought; StoreError if it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if answer["info"]:
                _replace(self.path / RUN_FILE, answer["info"])
            self.add(answer["files"])  # before the lines that name them
            for name, lines in answer["lines"].items():
                if lines or name == CELLS_FILE:
                    self._append(name, lines)
            if answer.get("status") == 0 and not answer.get("more"):  # the node's are whole, though shorter
                for name in [*self._coming]:
                    self._take_place(name)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._info_at = answer["info_at"]

    def _append(self, name: str, lines: bytes) -> None:
        """Add to a file of records; its first lines begin it anew, beside the copy of an earlier session where that has more."""
        target = inside(self.path, name)
        if name in self._offsets:
            with self._coming.get(name, target).open("ab") as file:
                file.write(lines)
        elif len(lines) < _size(target):
            self._coming[name] = target.with_name(f".{name}")
            _replace(self._coming[name], lines)
        else:
            _replace(target, lines)
        self._offsets[name] = self._offsets.get(name, 0) + len(lines)
        if name in self._coming and self._offsets[name] >= _size(target):
            self._take_place(name)

    def _take_place(self, name: str) -> None:
        """Put what has come of a file of records in the place of the copy of before."""
        coming = self._coming[name]
        with coming.open("rb") as file:
            os.fsync(file.fileno())
        replace_durably(coming, inside(self.path, name))
        del self._coming[name]

    def add(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write a run's other files."""
        for name, content in files:
            target = inside(self.path, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _replace(target: Path, content: bytes) -> None:
    with written(target) as file:
        file.write(content)
