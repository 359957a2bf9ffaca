"""What every fault starts from: a cache with one environment, a tiny model, and a whole run of it."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import processes

ROOT = Path(__file__).resolve().parents[2]
SHORT = (
    "--frameworks", "onnxrt", "--batch-sizes", "1,2", "--images", "4", "--loops", "2", "--warmup", "1", "--rounds", "2", "--threads", "1",
    "--device", "cpu", "--timeout", "20",
)  # fmt: skip
CELLS = 4  # records of such a run


class World:
    """A folder of its own; the user's cache stays out of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache"
        self.model = root / "files" / "image.onnx"
        self.whole = root / "whole"
        self._numbers = itertools.count()
        os.environ["INFEROMETER_CACHE"] = str(self.cache)
        (root / "files").mkdir(parents=True)
        self.python = self._python()
        python = self.python
        subprocess.run(
            [python, ROOT / "tests/support/onnx_files.py", root / "files"], check=True, capture_output=True
        )
        done = processes.run(["run", self.model, *SHORT, "--out", self.whole])
        if done.status:
            raise SystemExit(f"no run succeeds here, without any fault: {done.err}")

    def _python(self) -> Path:
        from inferometer.frameworks import environments, requirements

        return environments.ensure(
            requirements.read("onnxrt", "cpu"), self.root / "environment.log", lambda text: None
        ).python

    def folder(self) -> Path:
        """Return a new folder, short enough for a socket's path."""
        path = self.root / f"f{next(self._numbers)}"
        path.mkdir()
        return path

    def copied_run(self) -> Path:
        """Return a copy of the whole run."""
        return shutil.copytree(self.whole, self.folder() / "run")

    def copied_cache(self, *, models: bool = True) -> Path:
        """Return a copy of the cache; its files are shared with ours until they are replaced (see `rewritten`)."""
        path = self.folder() / "cache"
        shutil.copytree(self.cache, path, symlinks=True, copy_function=os.link)
        if not models:
            shutil.rmtree(path / "models")
        return path

    def clear(self) -> None:
        """Remove what a fault left."""
        for path in self.root.glob("f[0-9]*"):
            subprocess.run(["chmod", "-R", "u+w", path], check=False, capture_output=True)
            shutil.rmtree(path, ignore_errors=True)


def rewritten(path: Path, data: bytes, *, silently: bool = False) -> None:
    """Replace a file, which copies may share; ``silently``: with its times, as a disk does that turns a bit."""
    found = path.stat()
    path.unlink()
    path.write_bytes(data)
    path.chmod(found.st_mode)
    if silently:
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def import_all() -> None:
    """Import now what copies of this process need."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    import inferometer.cli.cache
    import inferometer.cli.importing
    import inferometer.cli.repair
    import inferometer.cli.run
    import inferometer.cli.serving
    import inferometer.cli.table
    import inferometer.report.page.serve
    import inferometer.results.summary
    import inferometer.tables.overview  # noqa: F401
