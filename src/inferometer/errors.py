"""The exceptions that the core raises; only the command line catches them.

InferometerError            base: one clear line (the value, the limit, the remedy)
├── UsageError              the request cannot be met as written (unknown name, bad number, missing file)
├── EnvironmentBuildError   a framework's virtual environment could not be built or lacks its framework
├── ModelError              a model could not be loaded, converted or checked
│   └── InputError          since its file, or what it is to be fed, is not what it should be
├── StoreError              a run directory could not be read or written
├── MeterError              a source of energy readings failed or sent something malformed
└── ProtocolError           a worker process broke the line protocol
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Sequence

from inferometer.redaction import redacted


class InferometerError(Exception):
    """Base of everything the core raises on purpose; its text is one line for the user, without passwords of addresses."""

    exit_code = 1

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(redacted(a) if isinstance(a, str) else a for a in arguments))


class UsageError(InferometerError):
    """The request cannot be met as written."""

    exit_code = 2


class EnvironmentBuildError(InferometerError):
    """A framework's virtual environment could not be built or lacks its framework."""


class ModelError(InferometerError):
    """A model could not be loaded, converted or checked."""


class InputError(ModelError):
    """A model's file, or what it is to be fed, is not what it should be."""

    exit_code = 2


class StoreError(InferometerError):
    """A run directory could not be read or written."""


class MeterError(InferometerError):
    """A source of energy readings failed or sent something malformed."""


class ProtocolError(InferometerError):
    """A worker process broke the line protocol."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def to_write_again(error: OSError, otherwise: str) -> str:
    """Return what to do about a file that cannot be written: where a disk or a quota is full, freeing space helps too."""
    return f"free space or {otherwise}" if error.errno in _FULL else otherwise


_MOST_SUGGESTED = 8
_ALIKE = 0.6  # of difflib; below it, "nosuch" is like "torch"


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not among ``known``: with the nearest ones, and all unless they are many."""
    names = sorted(known)
    if not names:
        return UsageError(f"unknown {kind} '{name}': there is none")
    near = _near(name, names)
    hint = f"; did you mean {_either(near)}?" if near else ""
    listed = "" if near and len(names) > 20 else f" (known: {', '.join(names)})"
    return UsageError(f"unknown {kind} '{name}'{hint}{listed}")


def _near(name: str, names: Sequence[str]) -> Sequence[str]:
    """Return the names that begin with what was typed, else the one that looks most like it."""
    typed = name.lower()
    begun = [known for known in names if typed and known.lower().startswith(typed)]
    return begun or difflib.get_close_matches(typed, names, n=1, cutoff=_ALIKE)


def _either(names: Sequence[str]) -> str:
    """Return "'a', 'b' or 'c'"; of many the first, and how many more there are."""
    shown = [f"'{name}'" for name in names[:_MOST_SUGGESTED]]
    last = f"{len(names) - len(shown)} others" if len(names) > len(shown) else shown.pop()
    return f"{', '.join(shown)} or {last}" if shown else last
