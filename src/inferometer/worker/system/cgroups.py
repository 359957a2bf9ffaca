"""Where the control groups above this process keep their limits and counts (Linux; nowhere elsewhere).

A limit may lie at the process's own group or at any above it, in version 2 or 1; a container may see its own group at the
mount's root only (cgroups(7); the kernel's admin-guide on cgroup v1 and v2).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROC, MOUNT = Path("/proc"), Path("/sys/fs/cgroup")


def groups(controller: str, proc: Path = PROC, mount: Path = MOUNT) -> tuple[Path, ...]:
    """Return the folders of every group that bounds this process's use of ``controller`` ("cpu", "memory")."""
    found = (path.resolve() for path in _candidates(controller, proc, mount) if path.is_dir())
    return tuple(dict.fromkeys(found))


def _candidates(wanted: str, proc: Path, mount: Path) -> Iterator[Path]:
    for line in read(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            bases = (mount, mount / "unified")
        elif wanted in controllers.split(","):
            bases = (mount / controllers, mount / wanted)
        else:
            continue
        for base in bases:
            own = base / path.lstrip("/")
            yield from (group for group in (own, *own.parents) if group.is_relative_to(base))


def read(path: Path) -> str:
    """Return a file's text; "" where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""


def flat(path: Path) -> dict[str, str]:
    """Return a file of lines "key value" as a mapping."""
    return dict(line.split(maxsplit=1) for line in read(path).splitlines() if " " in line)
