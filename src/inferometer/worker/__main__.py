"""Entry of a child process; run by path, in an interpreter that has no inferometer installed.

Arguments: the descriptors to read requests from and to write answers to, and the parent's process number.
"""

import ctypes
import os
import signal
import sys
import types
from pathlib import Path


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent goes, so that a killed run leaves nothing behind."""
    pr_set_pdeathsig = 1
    try:
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    except (AttributeError, OSError):
        return  # not Linux: the closed request pipe ends the worker at its next read
    if os.getppid() != parent:
        os._exit(1)


def _register_package() -> None:
    """Make `inferometer.worker` and `inferometer.models.steps` importable without the core and its site-packages."""
    folder = Path(__file__).resolve().parents[1]
    sys.path[:] = [entry for entry in sys.path if entry not in ("", str(folder / "worker"))]
    for name, path in (("inferometer", folder), ("inferometer.models", folder / "models")):
        package = types.ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package


def _add_foreign_backends() -> None:
    """Let INFEROMETER_BACKENDS name a folder of backend modules that do not come with inferometer."""
    extra = os.environ.get("INFEROMETER_BACKENDS")
    if extra:
        from inferometer.worker import backends

        backends.__path__.append(extra)


if __name__ == "__main__":
    _die_with_parent(int(sys.argv[3]))
    _register_package()
    _add_foreign_backends()
    from inferometer.worker.serve import serve

    serve(int(sys.argv[1]), int(sys.argv[2]))
