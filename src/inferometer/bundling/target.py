"""The machine that a bundle is for: its Python and platform, as markers and as the tags that wheels carry."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inferometer.errors import UsageError, unknown

PLATFORMS = ("linux-x86_64", "linux-aarch64")
_FIRST_PYTHON = 11
# glibc 2.28 (2018) and older first; a wheel for a newer one is taken only where there is no other
_GLIBC_MINORS = (*range(28, 11, -1), *range(29, 40))


@dataclass(frozen=True)
class Target:
    """A Python version and a platform: ("3.12", "linux-x86_64")."""

    python: str
    platform: str

    def __post_init__(self) -> None:
        """Raise UsageError for a Python that inferometer does not run on, or an unknown platform."""
        match = re.fullmatch(r"3\.(\d{1,2})", self.python)
        if not match or int(match[1]) < _FIRST_PYTHON:
            raise UsageError(
                f"--python {self.python}: give the version of the other machine's Python, such as 3.12 "
                f"(3.{_FIRST_PYTHON} or newer)"
            )
        if self.platform not in PLATFORMS:
            raise unknown("platform", self.platform, PLATFORMS)

    @property
    def architecture(self) -> str:
        """Return the processor's name as Python's `platform.machine` says it."""
        return self.platform.partition("-")[2]

    def markers(self) -> dict[str, str]:
        """Return the values of a requirement's markers there (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.architecture,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }

    def pip_options(self) -> list[str]:
        """Return the options by which pip chooses wheels for it (PEP 600's tags, and those before)."""
        tags = [f"manylinux_2_{minor}_{self.architecture}" for minor in _GLIBC_MINORS]
        tags += [
            f"{old}_{self.architecture}" for old in ("manylinux2014", "manylinux2010", "manylinux1", "linux")
        ]
        platforms = [word for tag in tags for word in ("--platform", tag)]
        return ["--implementation", "cp", "--python-version", self.python, *platforms]
