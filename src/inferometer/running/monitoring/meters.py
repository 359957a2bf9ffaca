"""The meters of a run: opened as its request says, what they need of its cells, and those that are absent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from inferometer.device import Device
from inferometer.energy import Session, open_session
from inferometer.energy.meters.selection import Selection
from inferometer.energy.sampling.pacing import STEADY
from inferometer.energy.view import MeterNeeds
from inferometer.planning.request import RunRequest
from inferometer.records import Machine
from inferometer.redaction import redacted
from inferometer.running.progress.observer import Observer


def open_meters(request: RunRequest, machine: Machine, device: str) -> Session:
    """Return a session of the meters that a request names, for work on ``device``."""
    session = open_session(
        device,
        request.meters,
        gpus={str(Device("cuda", gpu.index)): gpu.uuid for gpu in machine.gpus},
        pacing=STEADY,
        powercap=request.powercap or None,
    )
    session.await_reports()
    return session


def tell_absences(session: Session, request: RunRequest, observer: Observer) -> None:
    """Tell the meters asked for that cannot be had, a line each."""
    chosen = bool(Selection.parse(request.meters).include)
    for absence in session.absences:
        if chosen or absence.meter == "mqtt" or (absence.meter == "rapl" and request.powercap):
            observer.preparing(redacted(f"no meter: {absence.line}"))


def meter_needs(request: RunRequest, devices: Iterable[str], session: Session) -> dict[str, MeterNeeds]:
    """Return what each device's meters need; a window that the request names itself is kept."""
    needs = {device: session.needs(device) for device in devices}
    given_s = request.protocol.energy_window_s
    return {device: replace(need, window_s=given_s) if given_s else need for device, need in needs.items()}


def with_window(request: RunRequest, window_s: float) -> RunRequest:
    """Return the request with the seconds that a cell's loops last at least."""
    protocol = msgspec.structs.replace(request.protocol, energy_window_s=window_s)
    return msgspec.structs.replace(request, protocol=protocol)
