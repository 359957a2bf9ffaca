"""How long a run will take: rough before it starts, better with every cell that ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inferometer.device import Device
from inferometer.frameworks.catalogue import Framework
from inferometer.records import Cell, Protocol, Record

_GPU_SPEED = 50.0  # a GPU's images/s over those of two CPU cores, for the first guess only


def nominal_s(cell: Cell, framework: Framework, protocol: Protocol) -> float:
    """Return a rough time for one cell in one round: the nominal speed is MobileNetV3-Large's on two CPU cores."""
    speed = framework.nominal_images_per_s * (_GPU_SPEED if Device.parse(cell.device).is_gpu else 1.0)
    loop_s = protocol.images / speed
    loops_s = max(protocol.loops * loop_s, protocol.energy_window_s)
    warmup_s = protocol.warmup * cell.batch_size / speed
    if protocol.budget_s:
        least_s = min(protocol.loops, protocol.least_loops) * loop_s
        loops_s = min(loops_s, max(protocol.budget_s, least_s))
        warmup_s = min(warmup_s, protocol.budget_s / 3 + cell.batch_size / speed)
    return framework.nominal_prepare_s + warmup_s + loops_s


class TimeLeft:
    """Learns from ended cells: the same cell's own time in an earlier round, else nominal times scaled by what was seen."""

    def __init__(self, nominal: Mapping[Cell, float]) -> None:
        self._nominal = nominal
        self._seen: dict[Cell, float] = {}
        self._measured_s = 0.0
        self._expected_s = 0.0

    def add(self, record: Record) -> None:
        """Learn from an ended cell; only a measured one says how fast this machine is."""
        self._seen[record.cell] = record.elapsed_s
        if record.status != "ok":
            return
        self._measured_s += record.elapsed_s
        self._expected_s += self._nominal.get(record.cell, record.elapsed_s)

    def of(self, remaining: Iterable[Cell]) -> float:
        """Return the seconds that these cells will take."""
        ratio = self._measured_s / self._expected_s if self._expected_s else 1.0
        return sum(self._seen.get(cell, self._nominal.get(cell, 0.0) * ratio) for cell in remaining)
