"""Reads a bundle with nothing but Python's standard library; each bundle holds a copy of this file as unbundle.py.

    python3 FOLDER/unbundle.py [--to DIR] [options of `inferometer unbundle`]

Makes an environment with inferometer in DIR (default: FOLDER/inferometer) from the bundle alone, which then unpacks the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

MANIFEST = "bundle.json"
FORMAT = 1
_MADE_HERE = ".made-by-unbundle"  # in an environment that this file made
_BLOCK_BYTES = 1 << 20
_NAMED = 8  # parts that an error lists


class BundleError(Exception):
    """A bundle cannot be used; its text is one line for the user."""


class Bundle:
    """A folder with bundle.json and its parts."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest; BundleError if there is none that can be read."""
        self.folder = folder
        path = folder / MANIFEST
        try:
            self.manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self._parts = [
                (part["name"], int(part["bytes"]), part["sha256"]) for part in self.manifest["parts"]
            ]
            self.entries: dict[str, dict[str, Any]] = {
                entry["name"]: entry for entry in self.manifest["entries"]
            }
        except (FileNotFoundError, NotADirectoryError):
            raise BundleError(
                f"{folder} is no bundle: it has no {MANIFEST}; give the folder that `inferometer bundle` wrote"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path} cannot be read ({error}); bring it again") from None
        if self.manifest.get("format") != FORMAT:
            raise BundleError(
                f"{path} has format {self.manifest.get('format')}, this reads {FORMAT}; use the bundle's own unbundle.py"
            )

    def check_machine(self) -> None:
        """Raise BundleError where this Python or processor is not what the bundle was made for."""
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        made_for = self.manifest["python"]
        if here != made_for:
            raise BundleError(
                f"the bundle is for Python {made_for}, this is {here}; start it with python{made_for}, or make one with --python {here}"
            )
        architecture = self.manifest["platform"].partition("-")[2]
        if platform.machine() != architecture:
            raise BundleError(
                f"the bundle is for {architecture}, this machine is {platform.machine()}; make one with --platform linux-{platform.machine()}"
            )

    def check_parts(self) -> None:
        """Read every part; BundleError that names those that are missing, cut short or damaged."""
        missing = [name for name, _, _ in self._parts if not (self.folder / name).is_file()]
        if missing:
            raise BundleError(
                f"{len(missing)} of {len(self._parts)} parts are missing in {self.folder}: {_listed(missing)}; bring them, then try again"
            )
        damaged = [name for name, size, digest in self._parts if not self._is_whole(name, size, digest)]
        if damaged:
            raise BundleError(
                f"{len(damaged)} of {len(self._parts)} parts arrived damaged in {self.folder}: {_listed(damaged)}; bring them again"
            )

    def _is_whole(self, name: str, size: int, digest: str) -> bool:
        path = self.folder / name
        try:
            with path.open("rb") as file:
                whole = path.stat().st_size == size
                return whole and hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error.strerror}); bring it again") from None

    def extract(self, name: str, target: Path) -> Path:
        """Write an entry as the file ``target``; BundleError if it is not what was packed."""
        entry, digest = self.entries[name], hashlib.sha256()
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            for block in self._blocks(entry["start"], entry["bytes"]):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != entry["sha256"]:
            target.unlink()
            raise BundleError(f"{name} in {self.folder} is damaged; bring the bundle again")
        return target

    def _blocks(self, start: int, count: int) -> Iterator[bytes]:
        edge = 0
        for name, size, _ in self._parts:
            first, last = max(start, edge), min(start + count, edge + size)
            if first < last:
                with (self.folder / name).open("rb") as file:
                    file.seek(first - edge)
                    yield from _read(file, last - first)
            edge += size


def _read(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count and (block := file.read(min(count, _BLOCK_BYTES))):
        count -= len(block)
        yield block


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def check_target(target: Path) -> None:
    """Raise BundleError for what was not made here, and would be replaced: a file, a link, a folder that holds something."""
    if target.is_symlink():
        raise BundleError(f"--to {target} is a link; give the folder that it leads to, or a new one")
    if target.exists() and not target.is_dir():
        raise BundleError(f"--to {target} is a file; give a new folder")
    if target.is_dir() and any(target.iterdir()) and not (target / _MADE_HERE).is_file():
        raise BundleError(f"--to {target} is not empty, and not made by unbundle.py; give a new folder")


def make_core(bundle: Bundle, target: Path) -> Path:
    """Make the environment of inferometer itself from a bundle and return its program; BundleError with uv's last words."""
    core = bundle.manifest["core"]
    with tempfile.TemporaryDirectory(prefix="inferometer-bundle-", dir=target.parent) as temporary:
        wheels = Path(temporary)
        for wheel in core["wheels"]:
            bundle.extract(f"wheels/{wheel}", wheels / wheel)
        listed = wheels / "requirements.txt"
        listed.write_text("\n".join(core["requirements"]) + "\n")
        uv = str(_uv_of(wheels))
        with _new_folder(target, wheels):
            _install(uv, target, wheels, listed)
    return target / "bin" / "inferometer"


@contextlib.contextmanager
def _new_folder(target: Path, temporary: Path) -> Iterator[None]:
    """Make a folder, in place of one that was made here earlier, which comes back where the new one cannot be finished."""
    replaced = temporary / "replaced"
    if target.exists():  # aside first: one that is half removed would be taken for somebody's own
        target.rename(replaced)
    try:
        target.mkdir(parents=True)
        (target / _MADE_HERE).touch()  # first, so that one left unfinished may be replaced
        yield
    except BaseException:
        if target.exists():
            target.rename(temporary / "unfinished")
        if replaced.exists():
            replaced.rename(target)
        raise


def _install(uv: str, target: Path, wheels: Path, listed: Path) -> None:
    alone = ["--no-config", "--no-python-downloads", "--offline", "--quiet"]
    _call(
        [uv, *alone, "venv", "--no-project", "--allow-existing", "--python", sys.executable, str(target)],
        wheels,
    )
    python = str(target / "bin" / "python")
    _call(
        [uv, *alone, "pip", "install", "--compile-bytecode", "--python", python, "--no-index", "--find-links", str(wheels), "--no-deps",
         "--require-hashes", "--requirements", str(listed)], wheels,
    )  # fmt: skip


def _uv_of(wheels: Path) -> Path:
    """Return uv's program, out of its wheel."""
    try:
        with zipfile.ZipFile(next(wheels.glob("uv-*.whl"))) as file:
            name = next(name for name in file.namelist() if name.endswith(".data/scripts/uv"))
            program = Path(file.extract(name, wheels))
    except (StopIteration, zipfile.BadZipFile):
        raise BundleError("the bundle has no uv, which installs the rest; make it again") from None
    program.chmod(0o755)
    return program


def _call(command: list[str], temporary: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    cache = {} if "UV_CACHE_DIR" in kept else {"UV_CACHE_DIR": str(temporary / "uv-cache")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**kept, **cache})
    if done.returncode:
        words = " ".join(done.stderr.split())
        raise BundleError(
            f"inferometer cannot be installed from the bundle: {words[max(words.rfind('error:'), 0) :][:400]}"
        )


def main() -> int:
    """Install inferometer, then let it unpack the rest; return its status."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Unpack this bundle without a network.")
    parser.add_argument("--to", type=Path, default=here / "inferometer", help="folder for inferometer itself")
    arguments, rest = parser.parse_known_args()
    try:
        bundle = Bundle(here)
        bundle.check_machine()
        bundle.check_parts()
        target = arguments.to.absolute()
        check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        program = make_core(bundle, target)
    except BundleError as error:
        sys.stderr.write(f"unbundle: {error}\n")
        return 1
    except OSError as error:
        where = error.filename or arguments.to.absolute().parent
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free space or give another --to" if full else "give another --to"
        sys.stderr.write(f"unbundle: cannot write {where}: {error.strerror}; {remedy}\n")
        return 1
    sys.stdout.write(f"inferometer: {program}\n")
    sys.stdout.flush()
    return subprocess.run([str(program), "unbundle", str(here), *rest], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
