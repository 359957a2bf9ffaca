"""What cannot be written is one line, whatever form of the report it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from inferometer.errors import StoreError


@contextlib.contextmanager
def writing(path: Path, remedy: str = "") -> Iterator[None]:
    """Raise StoreError for an OSError within, with the path, the cause and what to do."""
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        if isinstance(error, FileExistsError):  # of a folder that is to be made
            place = "it" if Path(error.filename) == path else error.filename
            cause = f"{place} is a file, not a directory"
        raise StoreError(f"cannot write {path}: {cause}{remedy and f'; {remedy}'}") from error
