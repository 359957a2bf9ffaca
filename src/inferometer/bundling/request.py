"""What is asked of a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from inferometer.bundling.target import Target
from inferometer.planning.request import RunRequest

PART_BYTES = 62_000_000


@dataclass(frozen=True)
class BundleRequest:
    """What is to be packed, and for which machine."""

    run: RunRequest  # its model, frameworks and precisions
    accelerators: tuple[str, ...]  # cpu, cuda12, cuda13
    target: Target
    without: tuple[str, ...] = ()  # frameworks that the other machine has: only the model's forms are packed
    leave_out: tuple[str, ...] = ()  # patterns of packages that the other machine's Python has
    extras: tuple[str, ...] = ()  # of inferometer itself: cluster, index, ...
    convert_with: dict[str, Path] = field(
        default_factory=dict
    )  # environment -> interpreter here that converts
    part_bytes: int = PART_BYTES
