"""How a plan's workers share a machine's CPUs, and the refusal of what it has too few for."""

from __future__ import annotations

import msgspec

from inferometer.errors import UsageError
from inferometer.planning.load_request import check_instances
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.records import Machine


def devices_at_once(request: RunRequest, plan: Plan) -> tuple[str, ...]:
    """Return the devices to be measured at once, none if they take turns; UsageError where there are not two."""
    devices = tuple(dict.fromkeys(cell.device for cell in plan.cells))
    if not request.at_once:
        return ()
    if len(devices) == 1:
        raise UsageError(
            f"--at-once needs two devices with something to measure, and there is one ({devices[0]}): "
            "give for example --device cuda:0,cuda:1, or leave --at-once out"
        )
    return devices


def with_threads(
    request: RunRequest, plan: Plan, machine: Machine, usable: int, cpus: int | None = None
) -> RunRequest:
    """Return the request with the threads of each worker: an equal share of the ``usable`` CPUs unless it says how many.

    ``cpus``: see `check_instances`. UsageError for more threads than the machine has CPUs, and for instances that cannot share them.
    """
    workers = len(devices_at_once(request, plan)) or 1
    threads = request.protocol.threads or max(usable // workers, 1)
    if threads > machine.logical_cores:
        raise UsageError(f"--threads {threads} is more than this machine's {machine.logical_cores} CPUs")
    check_instances(request.load, threads, {cell.device for cell in plan.cells}, cpus)
    protocol = msgspec.structs.replace(request.protocol, threads=threads)
    return msgspec.structs.replace(request, protocol=protocol)
