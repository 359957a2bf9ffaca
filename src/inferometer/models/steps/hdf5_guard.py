"""HDF5 files of strangers: the library follows some damage in circles for ever, so a process that may be killed reads them first.

python hdf5_guard.py FILE      walk through an HDF5 file, or through those in a `.keras` file
"""

from __future__ import annotations

import contextlib
import io
import resource
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

_MOST_S = 10  # of a processor; thousands of layers take one


def check(path: Path) -> None:
    """Raise ValueError (one line) for a file that HDF5 does not come to an end with, or crashes on.

    What h5py reports by itself is left to whoever loads the file.
    """
    command = [sys.executable, "-P", __file__, str(path)]
    status = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
    if status == -signal.SIGXCPU:  # by the limit below, which ends it before any SIGKILL
        raise ValueError(
            f"{path.name} is damaged: HDF5 was not through with it after {_MOST_S} s; save the model again"
        )
    if status < 0:
        raise ValueError(
            f"{path.name} is damaged: HDF5 crashed on it ({signal.Signals(-status).name}); save the model again"
        )


def _walk(path: Path) -> None:
    import h5py

    if path.suffix.lower() != ".keras":
        _walk_file(h5py, path)
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".h5"):
                with contextlib.suppress(Exception):
                    _walk_file(h5py, io.BytesIO(archive.read(name)))


def _walk_file(h5py: Any, opened: Any) -> None:
    """Read every attribute and the places of every data set's blocks: what HDF5 finds by following addresses."""

    def look(_: str, found: Any) -> None:
        for name in found.attrs:
            with contextlib.suppress(Exception):
                found.attrs[name]
        with contextlib.suppress(Exception):
            if isinstance(found, h5py.Dataset) and found.chunks:
                found.id.get_num_chunks()

    with h5py.File(opened, "r") as file:
        look("", file)
        file.visititems(look)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_S, _MOST_S + 1))
    with contextlib.suppress(Exception):
        _walk(Path(sys.argv[1]))
