"""What a run directory holds, as frozen, validated types.

Every stored key carries its SI unit (`_s`, `_ns`, `_j`, `_w`, `_bytes`, `_hz`). Raw samples are stored; statistics are
derived on reading (`inferometer.results.summary`). Unknown keys are ignored on reading, so that a newer minor version's extra
facts do not break an older reader; `SCHEMA` changes only when a reader would misread.
"""

from __future__ import annotations

from inferometer.records.accuracy import DatasetInfo, Evaluation
from inferometer.records.cell import STATUSES, STILL_MISSING, Cell, Loop, Prepare, Record, Status
from inferometer.records.checks import Actual, Memory, Parity
from inferometer.records.energy import DeviceEnergy, Energy, EnergySource
from inferometer.records.limits import ROUNDS_LIMIT
from inferometer.records.machine import Gpu, Machine
from inferometer.records.run import SCHEMA, InputFacts, ModelInfo, Protocol, RunInfo, Skip
from inferometer.records.scenario import (
    PADDINGS,
    SCENARIOS,
    Batching,
    LoadTest,
    Padding,
    ScenarioName,
    ScenarioResult,
)

__all__ = [
    "PADDINGS",
    "ROUNDS_LIMIT",
    "SCENARIOS",
    "SCHEMA",
    "STATUSES",
    "STILL_MISSING",
    "Actual",
    "Batching",
    "Cell",
    "DatasetInfo",
    "DeviceEnergy",
    "Energy",
    "EnergySource",
    "Evaluation",
    "Gpu",
    "InputFacts",
    "LoadTest",
    "Loop",
    "Machine",
    "Memory",
    "ModelInfo",
    "Padding",
    "Parity",
    "Prepare",
    "Protocol",
    "Record",
    "RunInfo",
    "ScenarioName",
    "ScenarioResult",
    "Skip",
    "Status",
]
