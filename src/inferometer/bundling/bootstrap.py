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
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

MANIFEST = "bundle.json"
FORMAT = 1
_MADE_HERE = ".made-by-unbundle"  # in an environment that this file made
_BLOCK_BYTES = 1 << 20
_NAMED = 8  # parts that an error lists


class BundleError(Exception):
    """A bundle cannot be used; its text is one line for the user."""


class Stops:
    """What Ctrl-C, SIGTERM and SIGHUP do: they end this at once; once it is ``held``, where it can be undone (`check`)."""

    def __init__(self) -> None:
        self.heard = 0  # the last signal; 0: none came
        self.held = False
        self._child: subprocess.Popen[str] | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, a script's background
                signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.heard = number
        if not self.held:
            self.held = True  # nothing that is told or undone is interrupted again
            raise KeyboardInterrupt
        self._pass_on()

    def _pass_on(self) -> None:
        if self._child and self.heard not in (0, signal.SIGINT):  # the terminal interrupts the child itself
            self._child.send_signal(self.heard)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came."""
        if self.heard:
            raise KeyboardInterrupt

    def call(self, command: list[str], **options: Any) -> tuple[int, str]:
        """Run a command to its end, also where a signal comes; return its status, as a shell tells it, and its stderr if piped."""
        self.check()
        self.held = True
        self._child = subprocess.Popen(command, text=True, **options)
        self._pass_on()  # what came before there was a child
        _, words = self._child.communicate()
        status = self._child.returncode
        self._child = None
        return 128 - status if status < 0 else status, words


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


def make_core(bundle: Bundle, target: Path, stops: Stops) -> Path:
    """Make the environment of inferometer itself from a bundle and return its program.

    BundleError with uv's last words, KeyboardInterrupt where a signal came: then all is as it was.
    """
    core = bundle.manifest["core"]
    stops.held = True
    with tempfile.TemporaryDirectory(prefix="inferometer-bundle-", dir=target.parent) as temporary:
        wheels = Path(temporary)
        for wheel in core["wheels"]:
            stops.check()
            bundle.extract(f"wheels/{wheel}", wheels / wheel)
        listed = wheels / "requirements.txt"
        listed.write_text("\n".join(core["requirements"]) + "\n")
        uv = str(_uv_of(wheels))
        with _new_folder(target, wheels):
            _install(uv, target, wheels, listed, stops)
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


def _install(uv: str, target: Path, wheels: Path, listed: Path, stops: Stops) -> None:
    alone = ["--no-config", "--no-python-downloads", "--offline", "--quiet"]
    _call(
        [uv, *alone, "venv", "--no-project", "--allow-existing", "--python", sys.executable, str(target)], wheels, stops,
    )  # fmt: skip
    python = str(target / "bin" / "python")
    _call(
        [uv, *alone, "pip", "install", "--compile-bytecode", "--python", python, "--no-index", "--find-links", str(wheels), "--no-deps",
         "--require-hashes", "--requirements", str(listed)], wheels, stops,
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


def _call(command: list[str], temporary: Path, stops: Stops) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    cache = {} if "UV_CACHE_DIR" in kept else {"UV_CACHE_DIR": str(temporary / "uv-cache")}
    piped = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    status, told = stops.call(command, env={**kept, **cache}, **piped)
    stops.check()
    if status:
        words = " ".join(told.split())
        raise BundleError(
            f"inferometer cannot be installed from the bundle: {words[max(words.rfind('error:'), 0) :][:400]}"
        )


def main() -> int:
    """Install inferometer, then let it unpack the rest; return its status, 128 + the signal where one came."""
    stops, here = Stops(), Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Unpack this bundle without a network.")
    parser.add_argument("--to", type=Path, default=here / "inferometer", help="folder for inferometer itself")
    arguments, rest = parser.parse_known_args()
    target = arguments.to.absolute()
    try:
        program = _core(here, target, stops)
        sys.stdout.write(f"inferometer: {program}\n")
        sys.stdout.flush()
        status, _ = stops.call([str(program), "unbundle", str(here), *rest])
        if status:
            stops.check()
        return status
    except KeyboardInterrupt:
        again = "interrupted; give the same command again; what was there whole stays"
        return _failed(again, 128 + stops.heard)
    except BundleError as error:
        return _failed(str(error), 1)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free space or give another --to" if full else "give another --to"
        return _failed(f"cannot write {error.filename or target.parent}: {error.strerror}; {remedy}", 1)


def _core(here: Path, target: Path, stops: Stops) -> Path:
    bundle = Bundle(here)
    bundle.check_machine()
    bundle.check_parts()
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    return make_core(bundle, target, stops)


def _failed(cause: str, status: int) -> int:
    sys.stderr.write(f"unbundle: {cause}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
