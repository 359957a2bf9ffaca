from __future__ import annotations

import dataclasses
import os

import pytest

from inferometer.flags import flag
from inferometer.host.gpu_snapshot import GpuSnapshot, NoAnswerError
from inferometer.records import Actual, Cell, Gpu, Memory, Record
from inferometer.running.monitoring.gpu import GpuMonitor, monitor_gpus

MIB = 2**20


WORKER = 4_000_001  # above every real process number, so that no session is looked up by accident


GPU = Gpu(0, "GPU-abc", "NVIDIA H100")


CELL = Cell("m", "torch", "fp32", 8, "cuda:0")


SETTINGS = {"power limit": 350000, "ECC": 1}


IDLE = GpuSnapshot(used_bytes=1 * MIB, settings=SETTINGS)


LOADED = GpuSnapshot(used_bytes=601 * MIB, processes={WORKER: 600 * MIB}, settings=SETTINGS)


class Script:
    """Answers the snapshots of a list, in order."""

    def __init__(self, *snapshots):
        self.snapshots = list(snapshots)
        self.asked = []
        self.closed = False

    def read(self, uuid):
        self.asked.append(uuid)
        found = self.snapshots.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def close(self):
        self.closed = True


def watched(at_rest, before, after, record=None, pid=WORKER):
    reader = Script(at_rest, before, after)
    watch = GpuMonitor({"cuda:0": GPU}, reader)
    watch.begin_run()
    watch.begin(CELL, pid)
    record = watch.end(record or Record(CELL, 1, "ok", actual=Actual(device="cuda"), memory=Memory(5, 6)))
    watch.end_run()
    assert reader.closed
    return record


def replace(snapshot, **changes):
    return dataclasses.replace(snapshot, **changes)


def test_placed_worker_alone():
    record = watched(IDLE, LOADED, LOADED)
    assert (record.status, record.flags) == ("ok", ())
    assert record.actual.device_uuid == "GPU-abc"
    assert record.actual.details["driver"]["placed_by"] == "process number"
    assert record.memory == Memory(5, 6, 600 * MIB)


def test_worker_without_memory_ran_elsewhere():
    record = watched(IDLE, IDLE, IDLE)
    assert record.status == "wrong-device"
    assert "no memory of this worker on cuda:0 (GPU-abc)" in record.cause
    assert record.actual.device_uuid == ""


def test_a_neighbours_memory_does_not_prove_placement():
    neighbour = GpuSnapshot(used_bytes=2049 * MIB, processes={7_000_001: 2048 * MIB}, settings=SETTINGS)
    record = watched(neighbour, neighbour, neighbour)
    assert record.status == "wrong-device"
    assert record.flags == (flag("gpu-neighbour", pid="7000001", held_bytes=2048 * MIB),)


def test_failure_of_another_kind_keeps_its_status():
    record = watched(IDLE, IDLE, IDLE, Record(CELL, 1, "parity-failed", "differs"))
    assert (record.status, record.cause) == ("parity-failed", "differs")


def test_neighbour_that_came_during_the_cell():
    after = replace(LOADED, processes={**LOADED.processes, 7_000_001: 1229 * MIB}, used_bytes=1830 * MIB)
    assert watched(IDLE, LOADED, after).flags == (
        flag("gpu-neighbour", pid="7000001", held_bytes=1229 * MIB),
    )


def test_neighbour_that_computed_and_left():
    after = replace(LOADED, active=frozenset({WORKER, 7_000_001}))
    assert watched(IDLE, LOADED, after).flags == (flag("gpu-neighbour-computed", pid="7000001"),)


def test_children_of_the_worker_are_no_neighbours():
    """A worker leads its session; this process' own session leader stands for one."""
    leader = os.getsid(0)
    after = GpuSnapshot(used_bytes=300 * MIB, processes={os.getpid(): 200 * MIB}, settings=SETTINGS)
    record = watched(IDLE, after, after, pid=leader)
    assert record.flags == ()
    assert record.memory.device_used_bytes == 200 * MIB


def test_container_whose_process_numbers_are_the_hosts():
    listed = replace(LOADED, processes={7_000_009: 600 * MIB}, active=frozenset({7_000_009}))
    record = watched(IDLE, listed, listed)
    assert (record.status, record.flags) == ("ok", ())
    assert record.memory.device_used_bytes == 600 * MIB
    two = replace(listed, processes={7_000_009: None, 7_000_010: None})
    assert watched(IDLE, listed, two).flags == (flag("gpu-newcomers", count=2),)


def test_a_newcomer_is_no_worker_where_numbers_are_known_to_match():
    """A second worker falls back to the CPU while a neighbour comes: its memory proves nothing."""
    newcomer = GpuSnapshot(used_bytes=3000 * MIB, processes={7_000_001: 2999 * MIB}, settings=SETTINGS)
    watch = GpuMonitor({"cuda:0": GPU}, Script(IDLE, LOADED, LOADED, IDLE, newcomer))
    watch.begin_run()
    ended = []
    for pid in (WORKER, WORKER + 1):
        watch.begin(CELL, pid)
        ended.append(watch.end(Record(CELL, 1, "ok")).status)
    assert ended == ["ok", "wrong-device"]


def test_container_that_lists_no_processes():
    silent = replace(LOADED, processes={})
    record = watched(IDLE, silent, silent)
    assert record.status == "ok"
    assert record.actual.details["driver"]["placed_by"] == "memory"
    assert record.memory.device_used_bytes == 600 * MIB
    crowded = replace(silent, used_bytes=5000 * MIB)
    assert watched(crowded, crowded, crowded).status == "wrong-device"
    grown = replace(silent, used_bytes=5600 * MIB)
    assert watched(crowded, grown, grown).flags == (flag("gpu-memory-before", used_bytes=5000 * MIB),)


SILENT = replace(LOADED, processes={})  # a container that lists none


def workers(*scripts):
    """Return the records of one cell a worker, each seen before the worker, before its cell and after it."""
    watch = GpuMonitor(
        {"cuda:0": GPU}, Script(IDLE, *(snapshot for script in scripts for snapshot in script))
    )
    watch.begin_run()
    ended = []
    for number, _ in enumerate(scripts):
        watch.begin_worker(CELL)
        watch.begin(CELL, WORKER + number)
        ended.append(watch.end(Record(CELL, 1, "ok", actual=Actual(device="cuda"))))
    return ended


def with_more(snapshot, mib):
    return replace(snapshot, used_bytes=snapshot.used_bytes + mib * MIB)


def test_unlisted_neighbour_that_comes_between_two_workers():
    """Its 20 GiB are neither the second worker's memory nor a proof that this is on the GPU."""
    neighbour = with_more(IDLE, 20480)
    first, second = workers((IDLE, SILENT, SILENT), (neighbour, neighbour, with_more(SILENT, 20480)))
    assert (first.status, first.flags) == ("ok", ())
    assert second.flags == (
        flag("gpu-memory-changed", before_bytes=IDLE.used_bytes, after_bytes=neighbour.used_bytes),
    )
    assert second.memory.device_used_bytes == 600 * MIB
    _, elsewhere = workers((IDLE, SILENT, SILENT), (neighbour, neighbour, neighbour))
    assert elsewhere.status == "wrong-device"


def test_unlisted_neighbour_that_leaves_beside_a_worker():
    crowded = with_more(IDLE, 20480)
    (record,) = workers((crowded, with_more(SILENT, 20480), SILENT))
    assert record.status == "ok"
    assert record.flags[-1] == flag(
        "placement-not-shown", before_bytes=crowded.used_bytes, after_bytes=SILENT.used_bytes
    )
    assert record.actual.device_uuid == ""


def test_a_listed_neighbour_is_told_by_its_number_alone():
    neighbour = replace(with_more(IDLE, 2048), processes={7_000_001: 2048 * MIB})
    both = replace(with_more(LOADED, 2048), processes={WORKER + 1: 600 * MIB, **neighbour.processes})
    _, second = workers((IDLE, LOADED, LOADED), (neighbour, both, both))
    assert second.flags == (flag("gpu-neighbour", pid="7000001", held_bytes=2048 * MIB),)


def test_memory_that_ran_out_says_what_the_driver_had_free():
    failed = Record(CELL, 1, "out-of-memory", "no room", memory=Memory(asked_bytes=9 * MIB))
    full = replace(LOADED, free_bytes=3 * MIB)
    neighbour = replace(full, processes={**LOADED.processes, 7_000_001: 2048 * MIB})
    record = watched(IDLE, LOADED, neighbour, failed)
    assert (record.memory.asked_bytes, record.memory.free_bytes) == (9 * MIB, 3 * MIB)
    assert record.flags == (flag("gpu-neighbour", pid="7000001", held_bytes=2048 * MIB),)
    kernels_word = Record(CELL, 1, "out-of-memory", "the host's memory is full")
    assert watched(IDLE, LOADED, full, kernels_word).memory.free_bytes is None
    of_the_host = Record(CELL, 1, "out-of-memory", memory=Memory(free_bytes=5))
    assert watched(IDLE, LOADED, full, of_the_host).memory.free_bytes == 5


def test_busy_before_the_run():
    assert watched(replace(IDLE, utilisation=37), LOADED, LOADED).flags == (
        flag("gpu-busy-before", share=0.37),
    )


def test_throttling_by_counter_else_by_the_moments_reason():
    before = replace(LOADED, throttled_ns={"power cap": 1_000_000_000, "thermal slowdown": 5})
    after = replace(
        LOADED,
        throttled_ns={"power cap": 2_500_000_000, "thermal slowdown": 9},
        reasons=("power cap", "hardware slowdown"),
    )
    flags = watched(IDLE, before, after).flags
    assert flags == (
        flag("throttled", reason="power cap", seconds=1.5),
        flag("throttled", reason="hardware slowdown"),
    )


def test_settings_changed_inside_a_cell():
    after = replace(LOADED, settings={"power limit": 300000, "ECC": 1})
    assert watched(IDLE, LOADED, after).flags == (
        flag("setting-changed", setting="power limit", before="350000", after="300000"),
    )


@pytest.mark.parametrize("silent", range(3))
def test_a_gpu_that_is_lost_is_told_not_raised(silent):
    snapshots = [IDLE, LOADED, LOADED]
    snapshots[silent] = NoAnswerError("GPU is lost")
    record = watched(*snapshots)
    assert record.status == "ok"
    assert record.flags == (flag("placement-not-checked", error="GPU is lost"),)


def test_cpu_cells_are_left_alone():
    reader = Script(IDLE)
    watch = GpuMonitor({"cuda:0": GPU}, reader)
    watch.begin_run()
    cell = Cell("m", "torch", "fp32", 8, "cpu")
    watch.begin(cell, WORKER)
    record = Record(cell, 1, "ok")
    assert watch.end(record) is record
    assert reader.asked == ["GPU-abc"]


def test_no_gpu_in_the_plan_needs_no_driver():
    assert monitor_gpus({"cpu"}, (GPU,)) == ()
