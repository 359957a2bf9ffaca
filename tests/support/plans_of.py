"""Machines, and plans made for them."""

from inferometer.host.gpus import NO_LACK, visibility
from inferometer.planning import plan as planning
from inferometer.planning.request import RunRequest
from inferometer.planning.situation import look_up
from inferometer.records import Gpu, Machine, Protocol

A2 = Gpu(0, "GPU-a2", "NVIDIA A2", driver="550", cuda="12.4", compute_capability="8.6")


H100 = Gpu(1, "GPU-h100", "NVIDIA H100", driver="580", cuda="13.0", compute_capability="9.0")


WITH_GPUS = Machine(logical_cores=2, gpus=(A2, H100))


def request(*frameworks, **fields):
    return RunRequest(
        frameworks=frameworks or ("all",), batch_sizes=(1, 8), protocol=Protocol(images=8), **fields
    )


def make_plan(asked, machine, lack=NO_LACK, stored=None):
    return planning.make_plan(asked, look_up(asked, machine, lack, visibility()), stored)
