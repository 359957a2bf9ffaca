"""What a node tells of itself, and what it keeps of earlier sessions of a fleet's run."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec

from inferometer.host.gpus import find_gpus, visibility
from inferometer.host.machine import describe_machine
from inferometer.storage.cache import cache_folder
from inferometer.storage.find import FLEET_FILE

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def describe(name: str) -> dict[str, Any]:
    """Return what this node is, as plain values, and as "parts" what it keeps of a fleet's run."""
    gpus, lack = find_gpus()
    free_bytes, boot = 0, ""
    with contextlib.suppress(OSError):
        free_bytes, boot = (
            shutil.disk_usage(cache_folder()).free,
            _BOOT.read_text().strip() if _BOOT.exists() else "",
        )
    machine = msgspec.to_builtins(describe_machine(gpus))
    told = {"machine": machine, "lack": msgspec.to_builtins(lack), "visible": visibility()}
    return {**told, "free_bytes": free_bytes, "boot": boot, "parts": parts_of(name) if name else {}}


def parts_of(name: str) -> dict[str, dict[str, Any]]:
    """Return what this machine keeps of a fleet's run: by the name of each node's part what fleet.json said."""
    found = {}
    with contextlib.suppress(OSError):
        for path in sorted((cache_folder("fleet") / name).glob(f"*/{FLEET_FILE}")):
            with contextlib.suppress(OSError, ValueError):
                found[path.parent.name] = dict(json.loads(path.read_text()))
    return found
