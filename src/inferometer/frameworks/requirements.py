"""Pinned requirement files, `pins/<environment>/<accelerator>.txt`, and what their header lines say.

Header lines (`# key: value`):
    download           size of what uv fetches where nothing is cached
    download-fallback  the same where torch's CPU index cannot be reached
    torch-backend      value for uv's --torch-backend, tried first
    versioned          the package that `name@version` replaces, where it is not the framework's usual one
    python             which Python the packages need, where not any will do
    capability         the oldest compute capability of a GPU that the packages have code for (cuda sets), as in 7.5
    capability-of      which package that is, where it is not the framework's own
    older              which build has code for older GPUs, where one is known
    alone              packages that are installed without what they depend on, where nothing of it is needed
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from inferometer.errors import EnvironmentBuildError, UsageError
from inferometer.frameworks.locks import read_lock
from inferometer.host.gpus import is_older
from inferometer.records import Gpu

LOADGEN = "loadgen"  # the environment of MLPerf's LoadGen, which is no framework's
_FOLDER = Path(__file__).parent / "pins"


@dataclass(frozen=True)
class Requirements:
    """What one environment is made of, on one accelerator."""

    name: str
    accelerator: str  # cpu, cuda12, cuda13
    lines: tuple[str, ...]
    download: str = ""
    download_fallback: str = ""
    torch_backend: str = ""
    python: str = ""
    versioned: str = ""
    capability: str = ""
    capability_of: str = ""
    older: str = ""
    alone: tuple[str, ...] = ()  # names of packages whose dependencies are left out
    lock: str = (
        ""  # every package with hashes (`frameworks.locks`); "": what the lines lead to is resolved anew
    )

    def without_dependencies(self) -> tuple[str, ...]:
        """Return the lines whose packages are installed alone."""
        return tuple(line for line in self.lines if line.partition("==")[0] in self.alone)

    def download_text(self) -> str:
        """Return how much will be fetched, for people."""
        if self.download_fallback:
            return f"{self.download or 'unknown'}, or {self.download_fallback} where torch's own index cannot be reached"
        return self.download or "unknown size"


def read(name: str, accelerator: str) -> Requirements:
    """Return the pins of an environment; EnvironmentBuildError if there are none for this accelerator."""
    path = _FOLDER / name / f"{accelerator}.txt"
    if not path.exists():
        known = sorted(file.stem for file in (_FOLDER / name).glob("*.txt"))
        raise EnvironmentBuildError(
            f"environment '{name}' has no requirements for {accelerator} (known: {', '.join(known) or 'none'}); "
            f"give an interpreter that has the framework: --python {name}=PATH"
        )
    text = path.read_text()
    header = dict(re.findall(r"^#\s*([\w-]+):\s*(.+?)\s*$", text, re.M))
    lines = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return Requirements(
        name, accelerator, lines,
        download=header.get("download", ""),
        download_fallback=header.get("download-fallback", ""),
        torch_backend=header.get("torch-backend", ""),
        python=header.get("python", ""),
        versioned=header.get("versioned", ""),
        capability=header.get("capability", ""),
        capability_of=header.get("capability-of", ""),
        older=header.get("older", ""),
        alone=tuple(header.get("alone", "").split()),
        lock=read_lock(name, accelerator),
    )  # fmt: skip


def every() -> tuple[Requirements, ...]:
    """Return every set of pins that there is."""
    return tuple(read(path.parent.name, path.stem) for path in sorted(_FOLDER.glob("*/*.txt")))


def too_old(requirements: Requirements, gpu: Gpu | None, distribution: str) -> str:
    """Return why these packages have no code for a GPU and what may have, or "" if they have or do not say."""
    if not gpu or not is_older(gpu, requirements.capability):
        return ""
    name = requirements.name
    version = f"{name} {version_of(requirements, distribution)}"
    part = (
        f"{requirements.capability_of}, which {version} takes here,"
        if requirements.capability_of
        else version
    )
    older = f"{requirements.older} has" if requirements.older else "an older one may"
    remedy = f"{older}: --python {name}=PATH"
    if requirements.accelerator == "cuda13":  # which no such GPU is given unasked
        remedy = "leave out --accelerator cuda13"
    return (
        f"{part} has no code for compute capability {gpu.compute_capability} ({gpu.name}), only for "
        f"{requirements.capability} and newer; {remedy}"
    )


def with_version(requirements: Requirements, distribution: str, version: str) -> Requirements:
    """Return the same set with another version of one package (and of what must match it to the letter)."""
    if not re.fullmatch(r"[0-9][\w.+!-]*", version):
        raise UsageError(
            f"'{version}' is no version of {distribution}: versions begin with a number, as in 1.2.3"
        )
    pinned = version_of(requirements, distribution)
    distribution = requirements.versioned or distribution
    if not pinned:
        raise EnvironmentBuildError(
            f"environment '{requirements.name}' does not pin {distribution} on {requirements.accelerator}"
        )
    lines = tuple(_replace(line, distribution, pinned, version) for line in requirements.lines)
    return replace(requirements, lines=lines, lock="")


def version_of(requirements: Requirements, distribution: str) -> str:
    """Return the version pinned of a framework's package, or of what stands for it on this accelerator; "" if none."""
    distribution = requirements.versioned or distribution
    return next((match[1] for line in requirements.lines if (match := _pin(line, distribution))), "")


def _pin(line: str, distribution: str) -> re.Match[str] | None:
    return re.match(rf"{re.escape(distribution)}(?:\[.*\])?==([^;\s]+)", line)


def _replace(line: str, distribution: str, pinned: str, version: str) -> str:
    """Replace the version of the distribution and of its parts: jaxlib, tensorrt-cu13-libs, ... at the same version."""
    is_part = line.startswith(distribution) and re.search(rf"=={re.escape(pinned)}(?=[;\s]|$)", line)
    return line.replace(f"=={pinned}", f"=={version}") if is_part else line


def loadgen(python: str) -> Requirements:
    """Return the pins of LoadGen beside rows of a Python, "" for the one at hand."""
    return replace(read(LOADGEN, "cpu"), python=python)
