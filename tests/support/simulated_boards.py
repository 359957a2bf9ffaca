"""Simulated machines: how fast, how hungry, and whether metered."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.records import Gpu, Machine


@dataclass(frozen=True)
class Board:
    """A simulated machine: its speed, its power range and whether it has a meter."""

    gpu: str
    speed: float
    idle_w: float
    limit_w: float
    metered: bool = True


BOARDS = (
    Board("NVIDIA A2", 900.0, 10.0, 60.0),
    Board("Tesla V100-PCIE-32GB", 2600.0, 26.0, 250.0),
    Board("NVIDIA H100 80GB HBM3", 21000.0, 70.0, 700.0),
    Board("NVIDIA TITAN X (Pascal)", 1900.0, 16.0, 250.0, metered=False),
)


def machine_of(board: Board) -> Machine:
    gpu = Gpu(
        0, f"GPU-{abs(hash_of(board.gpu)):x}", board.gpu, 24 << 30, "580.12", "13.0", "8.6", board.limit_w
    )
    return Machine(
        hostname=f"node-{hash_of(board.gpu) % 97}",
        cpu="AMD EPYC 9554 64-Core Processor",
        physical_cores=16,
        logical_cores=32,
        usable_cores=16,
        governor="performance",
        memory_bytes=128 << 30,
        os="Debian GNU/Linux 12",
        kernel="6.1.0-28-amd64",
        python="3.11.2",
        gpus=(gpu,),
    )


def hash_of(text: str) -> int:
    """A hash that is the same in every process."""
    return int.from_bytes(text.encode()[:64], "little") % (2**31 - 1)
