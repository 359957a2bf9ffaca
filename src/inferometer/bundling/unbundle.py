"""A bundle unpacked: environments and models as a run finds them, from nothing but its parts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from inferometer.bundling.bootstrap import Bundle, BundleError
from inferometer.errors import EnvironmentBuildError, StoreError, UsageError, to_write_again
from inferometer.frameworks import environments, installer, requirements
from inferometer.frameworks.borrowing import borrow
from inferometer.frameworks.catalogue import parse_choice
from inferometer.frameworks.environments import Installed
from inferometer.frameworks.requirements import Requirements
from inferometer.models import artifact_cache
from inferometer.planning.plan import requirements_for
from inferometer.storage.archives import unpack, unpack_content
from inferometer.storage.build import build_once, mark_used
from inferometer.storage.cache import cache_folder
from inferometer.storage.kept import BUNDLED
from inferometer.version import __version__

Progress = Callable[[str], None]


class Unbundled(NamedTuple):
    """What a bundle brought."""

    model: str
    given: tuple[Path, ...]  # the user's own files, where they lie now
    words: tuple[str, ...]  # by which each is given to a run
    environments: tuple[Path, ...]
    failed: tuple[str, ...]  # why others could not be made
    models: int  # entries of the model cache


def unbundle(folder: Path, *, borrowed_from: Path | None, progress: Progress) -> Unbundled:
    """Unpack a bundle into the caches; what is there already, whole, is left alone.

    UsageError where there is none, or it is for another machine or version, StoreError where parts are missing or damaged. On disk besides
    lie one environment's wheels, or one archive, at a time.
    """
    if borrowed_from and not (borrowed_from.is_file() and os.access(borrowed_from, os.X_OK)):
        raise UsageError(f"--borrow {borrowed_from} is no program; give the path of a Python interpreter")
    if not folder.exists():
        raise UsageError(f"{folder} does not exist; give the folder that `inferometer bundle` wrote")
    with _told():
        bundle = Bundle(folder)
        _check(bundle)
        bundle.check_parts()
        manifest = bundle.manifest
        given = tuple(_given(bundle, name) for name in manifest["given"])
        prefixes = manifest.get("prefixes", [""] * len(given))  # earlier bundles have none
        words = tuple(f"{prefix}{path}" for prefix, path in zip(prefixes, given, strict=True))
        for name in manifest["models"]:
            _model(bundle, name)
        packed = [
            _PackedEnvironment(bundle, facts, borrowed_from, progress) for facts in manifest["environments"]
        ]
        made, failed = _environments(packed)
    return Unbundled(manifest["model"], given, words, made, failed, len(manifest["models"]))


def _environments(packed: Iterable[_PackedEnvironment]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the environments that could be made, and why the others could not: one that fails stops no other."""
    made, failed = [], []
    for each in packed:
        try:
            made.append(_environment(each))
        except EnvironmentBuildError as error:
            failed.append(str(error))
    return tuple(made), tuple(failed)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BundleError as error:
        raise StoreError(str(error)) from error
    except OSError as error:
        remedy = to_write_again(error, "set INFEROMETER_CACHE to another folder")
        where = error.filename or cache_folder()
        raise StoreError(f"cannot unpack into {where}: {error.strerror or error}; {remedy}") from error


def _check(bundle: Bundle) -> None:
    """Raise UsageError for a bundle of another version, Python or processor."""
    packed = bundle.manifest["inferometer"]
    if packed != __version__:
        raise UsageError(
            f"the bundle is of inferometer {packed}, this is {__version__}: use the bundle's own (python3 "
            f"{bundle.folder}/unbundle.py), or make one with {__version__}"
        )
    try:
        bundle.check_machine()
    except BundleError as error:
        raise UsageError(str(error)) from error


def _given(bundle: Bundle, name: str) -> Path:
    target = cache_folder(BUNDLED) / str(bundle.entries[name]["sha256"])[:12]
    own = Path(name).name.removesuffix(".tar.gz")

    def fill(partial: Path) -> None:
        with _extracted(bundle, name, partial) as archive:
            unpack(archive, partial, own)

    build_once(target, fill, target.is_dir)
    return target / own


def _model(bundle: Bundle, name: str) -> None:
    key = Path(name).name.removesuffix(".tar.gz")
    target = cache_folder("models") / key

    def fill(partial: Path) -> None:
        with _extracted(bundle, name, partial) as archive:
            unpack_content(archive, partial, key)
        if flaw := artifact_cache.verify(partial):
            raise StoreError(f"model {key} of the bundle is damaged: {flaw}; make the bundle again")

    build_once(target, fill, lambda: target.is_dir() and not artifact_cache.verify(target), mode=0o700)
    mark_used(target)  # of several that one FILE.py made, the one that came last counts


@contextlib.contextmanager
def _extracted(bundle: Bundle, name: str, folder: Path) -> Iterator[Path]:
    """Yield an entry as a file that lies in a folder for so long."""
    packed = bundle.extract(name, folder / ".packed")
    yield packed
    packed.unlink()


@dataclass(frozen=True)
class _PackedEnvironment:
    """An environment in a bundle; installs it (`environments.Install`)."""

    bundle: Bundle
    facts: dict[str, Any]
    borrowed_from: Path | None
    progress: Progress

    @property
    def wanted(self) -> Requirements:
        """Return the requirements that a run here will ask for; StoreError where they are not those that were packed."""
        choice, accelerator = self.facts["choice"], self.facts["accelerator"]
        if choice:
            wanted = requirements_for(parse_choice(choice), accelerator)
        else:
            wanted = requirements.read(self.facts["name"], accelerator)
        if hashlib.sha256(wanted.lock.encode()).hexdigest() != self.facts["lock"]:
            raise StoreError(
                f"environment {wanted.name} of the bundle is of another lock than this inferometer's; use the bundle's own (python3 "
                f"{self.bundle.folder}/unbundle.py)"
            )
        return wanted

    def install(self, wanted: Requirements, folder: Path, log: Path) -> Installed:
        """Install the wheels that were packed, and link what was left out."""
        left_out = self.facts["left_out"]
        if left_out and self.borrowed_from is None:
            raise EnvironmentBuildError(
                f"the bundle leaves out {', '.join(left_out)} of environment {wanted.name}; give --borrow PYTHON, an interpreter "
                "that has them"
            )
        wheels = (
            folder / ".wheels"
        )  # within, so that whoever clears away what a killed build left takes them too
        wheels.mkdir()
        try:
            for name in self.facts["wheels"]:
                self.bundle.extract(f"wheels/{name}", wheels / name)
            installer.install_wheels(wanted, self.facts["requirements"], wheels, folder, log)
        finally:
            shutil.rmtree(wheels, ignore_errors=True)
        linked = borrow(self.borrowed_from, left_out, folder) if left_out and self.borrowed_from else {}
        if lacking := [name for name in left_out if name not in linked]:
            self.progress(
                f"environment {wanted.name} is without {', '.join(lacking)}: the bundle leaves them out and {self.borrowed_from} lacks them"
            )
        return Installed("the registry's default build" if wanted.torch_backend else "", linked)


def _environment(packed: _PackedEnvironment) -> Path:
    wanted = packed.wanted
    log = cache_folder("logs") / f"unbundle-{wanted.name}.log"
    environment = environments.ensure(wanted, log, packed.progress, packed.install)
    folder = environment.python.parent.parent
    if flaw := environments.verify(folder):
        environments.remove(folder)
        raise EnvironmentBuildError(
            f"environment {folder.name} is damaged: {flaw}; it was removed, unbundle again"
        )
    return folder
