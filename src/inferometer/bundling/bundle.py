"""A bundle: inferometer, environments as wheels, and a model in every form that its frameworks take, cut into parts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from inferometer.bundling import bootstrap, own_wheel
from inferometer.bundling.contents import Content, choices_of, contents_of, wanted_of
from inferometer.bundling.parts import PartWriter, check_part_bytes
from inferometer.bundling.request import BundleRequest
from inferometer.bundling.wheels import Package, download, packages_of
from inferometer.errors import StoreError, UsageError, unknown
from inferometer.frameworks import installer
from inferometer.frameworks.interpreters import check_interpreters
from inferometer.models.routes import environment_names
from inferometer.planning.given_files import carried, given_files, prefixes
from inferometer.running.converted import Converted, convert, forms_for
from inferometer.storage import archives
from inferometer.storage.lines import cannot_write
from inferometer.storage.run_directory import check_can_be_made
from inferometer.units import counted
from inferometer.version import __version__

Progress = Callable[[str], None]


class Bundled(NamedTuple):
    """What a bundle became."""

    folder: Path
    parts: int
    size_bytes: int
    environments: tuple[str, ...]
    forms: tuple[str, ...]


def make_bundle(asked: BundleRequest, out: Path, progress: Progress) -> Bundled:
    """Write the bundle into the new folder ``out``; on disk in it lies, besides, one environment's wheels or one archive at a time.

    UsageError for what cannot be asked, EnvironmentBuildError where wheels cannot be had, ModelError where no form can.
    """
    choices = choices_of(asked)
    wanted = [*wanted_of(asked, choices)]
    _check(asked, out)
    forms = forms_for(asked.run, [choice for choice, _ in choices])
    for path in given_files(asked.run):  # which exist, as was found with the forms
        list(carried(path))
    contents = contents_of(asked, wanted)
    converted = convert(asked.run, forms, asked.convert_with, progress)
    downloads = out / ".downloads"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _removed_if_failed(out):
            with PartWriter(out, asked.part_bytes) as writer:
                manifest = _pack(_Packer(asked, writer, downloads, progress), contents, converted)
            manifest |= {"parts": writer.parts, "entries": [*writer.entries.values()]}
            _write_last(out, manifest, asked.part_bytes)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(downloads, ignore_errors=True)
    size = sum(part["bytes"] for part in writer.parts)
    names = tuple(f"{each['name']} {each['accelerator']}" for each in manifest["environments"])
    return Bundled(out, len(writer.parts), size, names, converted.forms)


def _pack(packer: _Packer, contents: Iterable[Content], converted: Converted) -> dict[str, Any]:
    """Pack everything, and return what the manifest says of it."""
    asked = packer.asked
    return {
        "format": bootstrap.FORMAT,
        "inferometer": __version__,
        "python": asked.target.python,
        "platform": asked.target.platform,
        "model": asked.run.model.model,
        "prefixes": prefixes(asked.run),
        "core": packer.core(),
        "models": packer.models(converted),
        "given": packer.given(),
        "environments": [packer.environment(each) for each in contents],
    }


def _check(asked: BundleRequest, out: Path) -> None:
    """Raise UsageError or StoreError, before anything is converted or downloaded, for what would be found later."""
    check_part_bytes(asked.part_bytes)
    for name, path in asked.convert_with.items():
        if name not in environment_names():
            raise UsageError(
                f"--convert-with {name}={path}: {unknown('environment', name, environment_names())}"
            )
    check_interpreters(asked.convert_with, "--convert-with")
    own_wheel.requirement_lines(asked.extras)
    _check_out(out)


def _check_out(out: Path) -> None:
    try:
        if out.exists() and any(out.iterdir()):
            raise UsageError(f"{out} is not empty; give another --out")
    except NotADirectoryError:
        raise UsageError(f"--out {out} is a file; give a folder") from None
    except OSError as error:
        raise cannot_write(out, error) from error
    check_can_be_made(out)


@contextlib.contextmanager
def _removed_if_failed(out: Path) -> Iterator[None]:
    """Leave an empty folder where packing fails or is interrupted, so that the same command may be given again."""
    try:
        yield
    except BaseException:
        for path in [*out.glob("part-*"), out / "unbundle.py", out / bootstrap.MANIFEST]:
            path.unlink(missing_ok=True)
        raise


def _write_last(out: Path, manifest: dict[str, Any], part_bytes: int) -> None:
    """Write what makes a folder of parts a bundle."""
    text = json.dumps(manifest, indent=1)
    if len(text) > part_bytes:
        raise StoreError(
            f"the list of the bundle's parts has {len(text)} bytes, more than --part-bytes {part_bytes}"
        )
    shutil.copyfile(bootstrap.__file__, out / "unbundle.py")
    (out / bootstrap.MANIFEST).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class _Packer:
    """Appends one kind of content after the other, and returns what the manifest says of it."""

    asked: BundleRequest
    writer: PartWriter
    downloads: Path
    progress: Progress

    def core(self) -> dict[str, Any]:
        """Pack inferometer and what it needs."""
        self.progress(f"packing inferometer {__version__}")
        lock = installer.compile_lock(
            own_wheel.requirement_lines(self.asked.extras), self.asked.target.python, dependencies=True
        )
        packages = packages_of(lock, self.asked.target)
        with self._downloaded(packages) as wheels:
            lines = [self._wheel(package, wheels[package.name]) for package in packages]
            names = [path.name for path in wheels.values()]
            own = own_wheel.write_own_wheel(self.downloads)
            lines.append(self._wheel(Package("inferometer", __version__, ()), own))
        return {"wheels": [*names, own.name], "requirements": lines}

    def environment(self, content: Content) -> dict[str, Any]:
        """Pack the wheels of an environment that are not left out."""
        wanted, packages = content.requirements, content.carried
        self.progress(
            f"packing environment {wanted.name} for {wanted.accelerator}: {counted(len(packages), 'package')}"
        )
        with self._downloaded(packages) as wheels:
            lines = [self._wheel(package, wheels[package.name]) for package in packages]
            names = [path.name for path in wheels.values()]
        return {
            "name": wanted.name,
            "choice": content.label,
            "accelerator": wanted.accelerator,
            "lock": hashlib.sha256(wanted.lock.encode()).hexdigest(),
            "wheels": names,
            "requirements": lines,
            "left_out": [package.name for package in content.left_out],
        }

    def models(self, converted: Converted) -> list[str]:
        """Pack the entries of the model cache that a run will ask for."""
        return [self._archive("models", folder) for folder in converted.entries]

    def given(self) -> list[str]:
        """Pack the user's own files that the model consists of."""
        given = given_files(self.asked.run)
        return [self._archive(f"given/{number}", path) for number, path in enumerate(given)]

    def _wheel(self, package: Package, path: Path) -> str:
        """Pack a package's wheel and return the line by which that file, and no other, is installed."""
        entry = self.writer.add(f"wheels/{path.name}", path)
        return replace(package, hashes=(f"sha256:{entry['sha256']}",)).line

    def _archive(self, place: str, path: Path) -> str:
        """Pack a file or a folder as an archive and return the entry's name."""
        import tarfile

        name = f"{place}/{path.name}.tar.gz"
        self.downloads.mkdir(exist_ok=True)
        temporary = self.downloads / "archive"
        with tarfile.open(temporary, "w:gz", compresslevel=4) as archive:
            for member, lies in carried(path):
                archives.add(archive, member, lies)
        self.writer.add(name, temporary)
        temporary.unlink()
        return name

    @contextlib.contextmanager
    def _downloaded(self, packages: Iterable[Package]) -> Iterator[dict[str, Path]]:
        self.downloads.mkdir(exist_ok=True)
        folder = self.downloads / "wheels"
        try:
            yield download(packages, self.asked.target, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
