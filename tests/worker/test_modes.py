"""Modes, seen from outside: what is called, in which order, and which times come of it."""

import numpy as np
import pytest

from fakes import BACKENDS, fake_framework, fake_request, run_fakes
from inferometer.flags import Flag
from inferometer.worker.backend import Backend, Pipeline
from inferometer.worker.flags import flag
from inferometer.worker.modes import MODES
from inferometer.worker.phases import sample, timed


class Spy(Backend):
    def __init__(self):
        self.calls = []

    def prepare(self, batch):
        self.calls.append(("prepare", len(batch[0])))

    def run(self, batch):
        self.calls.append(("run", len(batch[0])))
        return [batch[0] + 1]

    def place(self, batch):
        self.calls.append(("place", len(batch[0])))
        return ("placed", batch)

    def run_resident(self, placed):
        self.calls.append(("resident", len(placed[1][0])))
        return [placed[1][0] + 1]

    def synchronise(self):
        self.calls.append(("synchronise",))

    def pipeline(self, batch):
        return Delayed(self, len(batch[0]))

    def phases(self, batch):
        return {"copy_in": 1.0, "enqueue": 2.0, "compute": 3.0, "copy_out": 4.0}

    def actual(self):
        return {}


class Delayed(Pipeline):
    """Delivers a batch when the next but one is submitted."""

    def __init__(self, spy, rows):
        self.spy, self.rows, self.waiting = spy, rows, []

    def submit(self, batch):
        assert len(batch[0]) == self.rows
        self.waiting.append(batch)
        return [self.spy.run(self.waiting.pop(0))] if len(self.waiting) > 2 else []

    def drain(self):
        waiting, self.waiting = self.waiting, []
        return [self.spy.run(batch) for batch in waiting]


def batches(*sizes):
    return [(np.full((size, 2), index, np.uint8),) for index, size in enumerate(sizes)]


def test_host_mode_has_a_latency_for_every_batch_that_add_up_to_the_loop():
    mode = MODES["host"](Spy())
    start, end, batch_s = mode.timed_loop(mode.place(batches(4, 4, 2)))
    assert len(batch_s) == 3
    assert 0 <= (end - start) / 1e9 - sum(batch_s) < 1e-3


def test_device_mode_synchronises_once_a_loop_and_places_a_repeated_batch_once():
    spy = Spy()
    mode = MODES["device"](spy)
    one, other = batches(4, 4)
    placed = mode.place([one, other, one])
    assert spy.calls == [("place", 4), ("place", 4)]
    assert placed[0] is placed[2]
    spy.calls.clear()
    _, _, batch_s = mode.timed_loop(placed)
    assert spy.calls == [("resident", 4)] * 3 + [("synchronise",)]
    assert batch_s == []


def test_device_mode_has_no_phases_of_copying():
    assert MODES["device"](Spy()).phases(batches(4)[0], 0.01) == ({"enqueue": 2.0, "compute": 3.0}, 5)
    found, _ = MODES["host"](Spy()).phases(batches(4)[0], 0.01)
    assert set(found) == {"copy_in", "enqueue", "compute", "copy_out"}


def test_a_pipeline_delivers_every_batch_and_gives_each_the_time_from_submit_to_delivery():
    mode = MODES["host-pipelined"](Spy())
    for batch in batches(4):
        mode.prepare(batch)
    start, end, batch_s = mode.timed_loop(batches(4, 4, 4, 4, 4))
    assert len(batch_s) == 5
    assert all(0 <= seconds <= (end - start) / 1e9 for seconds in batch_s)
    assert sum(batch_s) > batch_s[0]  # they overlap, so they say nothing of the loop


def test_a_partial_last_batch_goes_through_a_pipeline_of_its_own_after_the_others():
    spy = Spy()
    mode = MODES["host-pipelined"](spy)
    full, partial = batches(4, 2)
    mode.prepare(full)
    mode.prepare(partial)
    spy.calls.clear()
    _, _, batch_s = mode.timed_loop([full, full, partial])
    assert spy.calls == [("run", 4), ("run", 4), ("run", 2)]
    assert len(batch_s) == 3
    assert np.array_equal(mode.outputs(partial)[0], partial[0] + 1)
    assert np.array_equal(mode.outputs(full)[0], full[0] + 1)


class Counting(Spy):
    """Its n-th sample takes n seconds in each phase."""

    def phases(self, batch):
        self.calls.append(("phases", len(batch[0])))
        return dict.fromkeys(("copy_in", "enqueue", "compute", "copy_out"), float(len(self.calls)))


@pytest.mark.parametrize(
    ("batch_s", "count"), [(0.0, 1), (0.001, 10), (0.01, 5), (0.049, 1), (0.051, 1), (1.0, 1), (1.1, 0)]
)
def test_at_least_one_batch_is_sampled_unless_it_takes_over_a_second(batch_s, count):
    spy = Counting()
    found, told = sample(spy, batches(4)[0], batch_s)
    assert (told, len(spy.calls)) == (count, count)
    mean = (count + 1) / 2
    assert found == (dict.fromkeys(("copy_in", "enqueue", "compute", "copy_out"), mean) if count else {})


def test_a_backend_that_cannot_tell_its_phases_apart_counts_no_batch():
    class Mute(Spy):
        phases = Backend.phases

    assert sample(Mute(), batches(4)[0], 0.01) == ({}, 0)


def test_timed_phases_are_in_order_and_compute_begins_with_enqueue():
    calls = []
    found = timed(
        lambda: calls.append("place") or 1,
        lambda placed: calls.append("run") or placed,
        lambda: calls.append("synchronise"),
        lambda resident: calls.append("fetch"),
    )
    assert calls == ["place", "synchronise", "run", "synchronise", "fetch"]
    assert found["compute"] >= found["enqueue"] >= 0


@pytest.fixture
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


@pytest.mark.usefixtures("_backends")
def test_a_pipelined_cell_is_checked_and_timed_through_the_pipeline(tmp_path):
    framework = fake_framework(pipeline=True, flags=[flag("nodes-elsewhere", strays=2, total=9, kinds="Foo")])
    run = run_fakes(tmp_path, framework, mode="host-pipelined", pixels=True, request=fake_request(images=7))
    assert [record.status for record in run.records] == ["ok", "ok"]
    record = run.records[1]
    assert [len(loop.batch_s) for loop in record.loops] == [2, 2, 2]
    parity = record.parity  # 7 rows before the loops, 8 of new batches, and of three loops the last batch's 3
    assert (parity.images, parity.unseen, parity.timed) == (7 + 8 + 9, 8, 3)
    assert Flag("nodes-elsewhere", values={"strays": 2, "total": 9, "kinds": "Foo"}) in record.flags
    assert Flag("pipelined-input") in record.flags
    assert (record.phases, record.phase_batches) == ({}, 0)


@pytest.mark.usefixtures("_backends")
@pytest.mark.parametrize(
    ("pixels", "options", "cause"), [(False, {"pipeline": True}, "whole numbers"), (True, {}, "pipeline")]
)
def test_a_pipeline_that_cannot_be_had_says_why(tmp_path, pixels, options, cause):
    run = run_fakes(tmp_path, fake_framework(**options), mode="host-pipelined", pixels=pixels)
    assert {record.status for record in run.records} == {"unsupported"}
    assert cause in run.records[0].cause


@pytest.mark.usefixtures("_backends")
def test_host_cells_carry_their_phases(tmp_path):
    record = run_fakes(tmp_path, fake_framework()).records[0]
    assert record.phases == {"copy_in": 1.0, "enqueue": 2.0, "compute": 3.0, "copy_out": 4.0}
    assert 1 <= record.phase_batches <= 10
