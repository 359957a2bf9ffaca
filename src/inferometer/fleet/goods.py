"""What travels to nodes: files and folders as streams of bytes, each known by the hash of its content."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inferometer.errors import StoreError
from inferometer.planning.given_files import carried
from inferometer.storage.archives import info_of, unpack, unpack_content
from inferometer.storage.build import build_once, mark_used
from inferometer.storage.cache import cache_folder
from inferometer.storage.kept import SENT

CHUNK_BYTES = 64 * 2**20
GIVEN, MODELS, INCOMING = SENT, "models", "fleet-incoming"  # folders of the cache


@dataclass(frozen=True)
class Good:
    """A file or folder: where it lies here, and in which folder of a node's cache, under which key, it will lie."""

    path: Path
    place: str
    key: str

    def chunks(self) -> Iterator[bytes]:
        """Yield it as an archive, piece by piece; equal content gives equal bytes, whatever the umask here."""
        yield from _chunks(self.path)


def given_good(path: Path) -> Good:
    """Return a file of the user's; its key is the hash of its content, of what lies at the end of links too."""
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return Good(path, GIVEN, digest.hexdigest()[:32])


def model_good(entry: Path) -> Good:
    """Return an entry of the model cache, whose name is its key."""
    return Good(entry, MODELS, entry.name)


def is_here(place: str, key: str) -> bool:
    """Return whether a node's cache holds it, which is then used anew."""
    folder = cache_folder(place) / key
    mark_used(folder)
    return folder.is_dir()


def placed_at(good_key: str, name: str) -> Path:
    """Return where a file of the user's lies on a node."""
    return cache_folder(GIVEN) / good_key / name


class Incoming:
    """An archive that arrives in pieces, then becomes a folder of the cache."""

    def __init__(self, place: str, key: str, name: str) -> None:
        self._target, self._place, self._key, self._name = cache_folder(place) / key, place, key, name
        # several nodes may have one cache, in a home on the network: each has a file of its own
        self._file = cache_folder(INCOMING) / f"{place}-{key}-{socket.gethostname()}"
        self._digest = hashlib.sha256()
        self._file.unlink(missing_ok=True)

    def add(self, chunk: bytes) -> None:
        """Append a piece; what had come is removed where it cannot be written."""
        self._digest.update(chunk)
        try:
            with self._file.open("ab") as file:
                file.write(chunk)
        except OSError:
            self._file.unlink(missing_ok=True)
            raise

    def finish(self, digest: str) -> None:
        """Unpack it; StoreError where it is not what was sent, or not what its key says."""
        try:
            if self._digest.hexdigest() != digest:
                raise StoreError(f"{self._name} arrived damaged; go on with --resume")
            if self._place == GIVEN and not digest.startswith(self._key):
                raise StoreError(f"{self._name} was changed after the run began; start a new one")
            build_once(self._target, self._unpack, self._target.is_dir, mode=0o700)
        finally:
            self._file.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove what had come, since the rest will not."""
        self._file.unlink(missing_ok=True)

    def _unpack(self, folder: Path) -> None:
        if self._place == MODELS:  # an entry is its folder's content
            unpack_content(self._file, folder, self._name)
        else:
            unpack(self._file, folder, self._name)


def _chunks(path: Path) -> Iterator[bytes]:
    """Yield a deterministic archive of a file or folder in pieces of `CHUNK_BYTES` at most."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, member in carried(path):
            info = info_of(name, member)
            archive.addfile(info)
            if info.isreg():
                yield from _content(archive, member, buffer)
    yield from _cut(buffer, 0)


def _content(archive: tarfile.TarFile, member: Path, buffer: io.BytesIO) -> Iterator[bytes]:
    written = 0
    assert archive.fileobj is not None
    with member.open("rb") as file:
        while block := file.read(tarfile.RECORDSIZE * 100):
            archive.fileobj.write(block)
            written += len(block)
            yield from _cut(buffer, CHUNK_BYTES)
    padding = -written % tarfile.BLOCKSIZE
    archive.fileobj.write(b"\0" * padding)
    archive.offset += written + padding


def _cut(buffer: io.BytesIO, least: int) -> Iterator[bytes]:
    """Yield what a buffer holds, once it is ``least`` bytes, and empty it."""
    if buffer.tell() > least:
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
