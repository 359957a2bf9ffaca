"""What a framework or a converter stumbles over, in one line of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

_LETTERS = re.compile(r"\x1b\[[\d;]*m")  # bold and coloured ones, which Keras writes for a terminal


def line(error: BaseException) -> str:
    """Return an exception's kind and text as one line."""
    return f"{type(error).__name__}: {text_of(error)}"


def text_of(error: BaseException) -> str:
    """Return an exception's text as one line."""
    return " ".join(_LETTERS.sub("", str(error)).split())[:300]


@contextmanager
def refusing(told: str) -> Iterator[None]:
    """Raise ValueError (one line that begins with ``told``) for any exception, but where memory ran out."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # frameworks have many kinds
        raise ValueError(f"{told}: {line(error)}") from error
