"""Interpreters that the user gives: whether they are Python at all."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from inferometer.errors import UsageError

_TIMEOUT_S = 60.0  # a first start from a network disk takes long
_CODE = "print('-'.join(('inferometer', 'python')))"  # joined, since `echo` would repeat a whole word
_ANSWER = b"inferometer-python"


def check_interpreters(given: Mapping[str, Path], option: str = "--python") -> None:
    """Raise UsageError for a program given by an option that is no Python; each is started once."""
    for path, name in {path: name for name, path in given.items()}.items():
        if reason := _reason(path):
            raise UsageError(
                f"{option} {name}={path}: {path} {reason}; give the python of an environment that has the framework, "
                "or leave the option out"
            )


def _reason(path: Path) -> str:
    """Return what is wrong with an interpreter; "" if it runs Python."""
    try:
        done = subprocess.run(
            [path, "-c", _CODE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"did not answer as a Python interpreter within {_TIMEOUT_S:g} s"
    except OSError as error:
        return f"cannot be started: {error.strerror or error}"
    return "" if _ANSWER in done.stdout else "is no Python interpreter"
