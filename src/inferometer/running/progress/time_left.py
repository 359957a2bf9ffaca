"""How long a run will take: rough before it starts, better with every cell that ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from inferometer.device import Device
from inferometer.frameworks.catalogue import Framework
from inferometer.models.contract import ModelSize
from inferometer.records import Cell, Protocol, Record

_GPU_SPEED = 50.0  # a GPU's images/s over those of two CPU cores, for the first guess only
# whose figures the frameworks' nominal ones are
_MEASURED = ModelSize(parameters=5_507_432, macs=216_589_760)
# By single-thread CPU time of onnxrt, openvino, litert, torch and tf, ResNet50 over MobileNetV3-Large: 17.8 times the
# multiply-accumulates take 5.5 to 11 times as long (0.75: 8.7), 4.7 times the parameters 1.1 to 4.5 times to prepare (1.8).
_COMPUTING, _PREPARING = 0.75, 0.5
_OWN = 0.3  # of a framework's preparation: the import, once a worker
_LEAST = 0.3  # of the rest: what the smallest model takes
_START_S = 0.3  # until a worker has numpy and its rows
_CALL_S = 1e-4  # that a batch takes however small the model is
_CHECKED = 64  # rows, besides the timed ones


def nominal_times(
    cells: Iterable[Cell], frameworks: Callable[[Cell], Framework], protocol: Protocol, size: ModelSize
) -> dict[Cell, float]:
    """Return a rough time for each cell in one round, from MobileNetV3-Large's on two CPU cores and the model's size.

    The smallest batch size of a worker's pays for its start.
    """
    distinct = list(dict.fromkeys(cells))
    smallest: dict[tuple[str, str, str, str], int] = {}
    for cell in distinct:
        key = _worker(cell)
        smallest[key] = min(smallest.get(key, cell.batch_size), cell.batch_size)
    return {
        cell: _nominal_s(cell, frameworks(cell), protocol, size, cell.batch_size == smallest[_worker(cell)])
        for cell in distinct
    }


def _worker(cell: Cell) -> tuple[str, str, str, str]:
    return cell.framework, cell.precision, cell.device, cell.mode


def _nominal_s(cell: Cell, framework: Framework, protocol: Protocol, size: ModelSize, first: bool) -> float:
    speed = _speed(framework, size, cell)
    loop_s, batch_s = protocol.images / speed, cell.batch_size / speed
    loops_s = max(protocol.loops * loop_s, protocol.energy_window_s, protocol.clock_window_s)
    warmup_s, checks_s = protocol.warmup * batch_s, max(_CHECKED / speed, 2 * batch_s)
    if protocol.budget_s:
        least_s = min(protocol.loops, protocol.least_loops) * loop_s
        loops_s = min(loops_s, max(protocol.budget_s, least_s))
        warmup_s = min(warmup_s, protocol.budget_s / 3 + batch_s)
        checks_s = min(checks_s, max(protocol.budget_s / 2, 2 * batch_s))
    start_s = _START_S + _OWN * framework.nominal_prepare_s if first else 0.0
    return start_s + _compile_s(framework, size) + warmup_s + loops_s + checks_s


def _speed(framework: Framework, size: ModelSize, cell: Cell) -> float:
    """Return images/s."""
    image_s = math.pow(_times(size.macs, _MEASURED.macs), _COMPUTING) / framework.nominal_images_per_s
    device = _GPU_SPEED if Device.parse(cell.device).is_gpu else 1.0
    return device / max(image_s, _CALL_S / cell.batch_size)


def _compile_s(framework: Framework, size: ModelSize) -> float:
    """Return seconds to load and compile a model, and to run it once."""
    grown = math.pow(_times(size.parameters, _MEASURED.parameters), _PREPARING)
    return (1 - _OWN) * framework.nominal_prepare_s * (_LEAST + (1 - _LEAST) * grown)


def _times(own: int | None, measured: int | None) -> float:
    """Return how many times as large a model is; 1 where it was not counted."""
    return own / measured if own and measured else 1.0


class TimeLeft:
    """Learns from ended cells: the same cell's own time in an earlier round, else nominal times scaled by what was seen.

    What was seen of the same framework tells more than what was seen of others.
    """

    def __init__(self, nominal: Mapping[Cell, float]) -> None:
        self._nominal = nominal
        self._seen: dict[Cell, float] = {}
        self._ratios: dict[str, _Ratio] = {}  # by framework, and of all of them ""

    def add(self, record: Record) -> None:
        """Learn from an ended cell; only a measured one says how fast this machine is."""
        self._seen[record.cell] = record.elapsed_s
        if record.status != "ok":
            return
        for name in ("", record.cell.framework):
            ratio = self._ratios.setdefault(name, _Ratio())
            ratio.measured_s += record.elapsed_s
            ratio.expected_s += self._nominal.get(record.cell, record.elapsed_s)

    def of(self, remaining: Iterable[Cell]) -> float:
        """Return the seconds that these cells will take."""
        return sum(
            self._seen.get(cell, self._nominal.get(cell, 0.0) * self._ratio(cell)) for cell in remaining
        )

    def _ratio(self, cell: Cell) -> float:
        """Return by how much the guess was off: for the cell's own framework, else for all that was measured."""
        ratio = self._ratios.get(cell.framework, self._ratios.get("", _Ratio()))
        return ratio.measured_s / ratio.expected_s if ratio.expected_s else 1.0


@dataclass
class _Ratio:
    measured_s: float = 0.0
    expected_s: float = 0.0
