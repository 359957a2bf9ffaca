"""uv, run without any configuration but the user's environment variables: what a folder holds must not change what is installed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from inferometer.errors import EnvironmentBuildError
from inferometer.frameworks import locks
from inferometer.frameworks.requirements import Requirements
from inferometer.host.processes import end_in_words
from inferometer.storage.cache import open_log
from inferometer.storage.temporary import TemporaryFolder

_NO_NETWORK = re.compile(
    r"dns error|client error \(Connect\)|Failed to fetch|error sending request|Network is unreachable", re.I
)
ALONE = ("--no-config", "--no-python-downloads", "--color", "never")
_LOCK = "requirements.lock"  # what an environment was installed by


def uv_path() -> str:
    """Return uv's executable, from its own package."""
    import uv

    return os.fsdecode(uv.find_uv_bin())


def find_python(version: str) -> str | None:
    """Return a Python of this host that suits a version; None if there is none."""
    command = [uv_path(), *ALONE, "python", "find", "--no-project", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if found.returncode else found.stdout.strip()


def make_venv(wanted: Requirements, interpreter: str, folder: Path, log: Path) -> None:
    """Make an empty virtual environment; EnvironmentBuildError with uv's cause."""
    _uv(
        ["venv", "--quiet", "--no-project", "--relocatable", "--python", interpreter, str(folder)],
        wanted,
        log,
    )


def install(wanted: Requirements, folder: Path, log: Path) -> str:
    """Install a set, by its lock where it has one; return which build of torch was taken, where the requirements care."""
    if wanted.lock:
        return _install_locked(wanted, folder, log)
    command, alone = _command(folder), wanted.without_dependencies()
    if alone:
        _uv([*command, "--no-deps", *alone], wanted, log)
    lines = [line for line in wanted.lines if line not in alone]
    if wanted.torch_backend:
        try:
            backend = ["--torch-backend", wanted.torch_backend]
            _uv([*command, *lines, *backend], wanted, log, UV_HTTP_RETRIES="0")
            return f"torch's {wanted.torch_backend} index"
        except EnvironmentBuildError:  # that index is out of reach: the default build runs on the CPU too
            _uv([*command, *lines], wanted, log)
            return "the registry's default build"
    _uv([*command, *lines], wanted, log)
    return ""


def _install_locked(wanted: Requirements, folder: Path, log: Path) -> str:
    if not wanted.torch_backend:
        _install_lock(wanted.lock, wanted, folder, log)
        return ""
    own = [line for line in wanted.lines if locks.is_of_torch(line)]
    try:
        command = [*_command(folder), "--no-deps", "--torch-backend", wanted.torch_backend, *own]
        _uv(command, wanted, log, UV_HTTP_RETRIES="0")
    except EnvironmentBuildError:
        _install_lock(wanted.lock, wanted, folder, log)
        return "the registry's default build"
    _install_lock(locks.without_torch(wanted.lock), wanted, folder, log)
    return f"torch's {wanted.torch_backend} index"


def _install_lock(lock: str, wanted: Requirements, folder: Path, log: Path) -> None:
    (folder / _LOCK).write_text(lock)
    _uv(
        [*_command(folder), "--no-deps", "--require-hashes", "--requirements", str(folder / _LOCK)],
        wanted,
        log,
    )


def install_wheels(wanted: Requirements, lines: Iterable[str], wheels: Path, folder: Path, log: Path) -> None:
    """Install what requirement lines with hashes name, from a folder of wheels and nothing else."""
    (folder / _LOCK).write_text("".join(f"{line}\n" for line in lines))
    _uv(
        [*_command(folder), "--offline", "--no-index", "--find-links", str(wheels), "--no-deps", "--require-hashes", "--requirements",
         str(folder / _LOCK)], wanted, log,
    )  # fmt: skip


def lock_of(wanted: Requirements, python: str) -> str:
    """Return a lock of a set, in which what is installed alone brings nothing along; EnvironmentBuildError if there is no way."""
    alone = wanted.without_dependencies()
    lock = compile_lock([line for line in wanted.lines if line not in alone], python, dependencies=True)
    return lock + (compile_lock([*alone], python, dependencies=False) if alone else "")


def compile_lock(lines: list[str], python: str, *, dependencies: bool) -> str:
    """Return every package that requirement lines lead to, with its version and hashes; EnvironmentBuildError if there is no way.

    It is for every system and Python from ``python`` on; where the packages do not run on all of them, for that Python on Linux.
    """
    everywhere, one = (
        ["--universal", "--python-version", python],
        ["--python-platform", "linux", "--python-version", python],
    )
    try:
        return _compile(lines, everywhere, dependencies)
    except EnvironmentBuildError:
        return _compile(lines, one, dependencies)


def _compile(lines: list[str], systems: list[str], dependencies: bool) -> str:
    command = [
        uv_path(), *ALONE, "pip", "compile", "-", *systems, "--generate-hashes", "--no-annotate", "--no-header", "--quiet",
        *([] if dependencies else ["--no-deps"]),
    ]  # fmt: skip
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentBuildError(f"no lock of {', '.join(lines)}: {' '.join(done.stderr.split())[:600]}")
    return done.stdout


def _command(folder: Path) -> list[str]:
    # compiled at once: the first process that loads a framework would be timed compiling it, and all where the cache is read-only
    return ["pip", "install", "--compile-bytecode", "--python", str(folder / "bin" / "python")]


def _uv(arguments: list[str], wanted: Requirements, log: Path, **environment: str) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    with TemporaryFolder() as temporary, open_log(log) as output:
        done = subprocess.run(
            [uv_path(), *ALONE, *arguments],
            stdout=output, stderr=subprocess.PIPE, env={**kept, **temporary.variables(), **environment}, check=False,
        )  # fmt: skip
        output.write(done.stderr)
    if done.returncode:
        raise EnvironmentBuildError(
            _cause(wanted, done.stderr.decode(errors="replace"), log, done.returncode)
        )


def _error_of(text: str) -> list[str]:
    """Return the lines of uv's error, without the progress and the warnings before it."""
    lines = text.splitlines()
    begun = [number for number, line in enumerate(lines) if line.lstrip().startswith(("error:", "×"))]
    return lines[begun[-1] :] if begun else lines


def _shortened(words: str) -> str:
    """Return an error whose end, where uv names the cause, is kept."""
    return words if len(words) <= 400 else f"{words[:240]} ... {words[-160:]}"


def _cause(wanted: Requirements, text: str, log: Path, status: int) -> str:
    if _NO_NETWORK.search(text):
        return (
            f"cannot build environment '{wanted.name}': the package registry cannot be reached; connect to the network, "
            f"or use an interpreter that has the framework: --python {wanted.name}=PATH"
        )
    lines = [line.strip(" ×╰─▶│") for line in _error_of(text) if line.strip()]
    told = [f"uv {end_in_words(status)}"] if status < 0 or not lines else []
    words = "; last words: ".join([*told, *filter(None, [_shortened(" ".join(lines))])])
    where = f" (log: {log})" if lines else ""
    return f"cannot build environment '{wanted.name}': {words}{where}"
