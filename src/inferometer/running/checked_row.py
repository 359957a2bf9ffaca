"""A row opened in a worker and put through the checks that any cell passes, before it is asked for anything else."""

from __future__ import annotations

from typing import Any

import msgspec

from inferometer.records import Actual, Cell, Parity
from inferometer.running.processes.endings import Ending
from inferometer.running.processes.worker_client import WorkerClient
from inferometer.worker.protocol import Measure, Open


def open_checked(
    client: WorkerClient, cell: Cell, message: Open, budget_s: float
) -> tuple[dict[str, Any], Ending | None]:
    """Return the ``parity`` and what was ``actual`` of one batch of the cell's size, as far as known; how it ended if it failed."""
    opened = client.open(cell, message)
    if isinstance(opened, Ending):
        return {}, opened
    measured = client.measure(cell, Measure(cell.batch_size, 1, 0, 0.0, [], budget_s, 1))
    if isinstance(measured, Ending):
        return {}, measured
    try:
        facts = {
            "parity": msgspec.convert(measured.parity, Parity),
            "actual": msgspec.convert(measured.actual, Actual),
        }
    except msgspec.ValidationError as error:
        return {}, Ending("broken-protocol", f"the worker's record is malformed: {error}")
    return facts, None if measured.status == "ok" else Ending.from_answer(measured, cell.device)
