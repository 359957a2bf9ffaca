"""What regions say while they settle, of tasks that overlap, and of processes that fork within."""

import asyncio
import os
import threading

import pytest

from inferometer.energy.meters.simulated import PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice
from inferometer.energy.regions import total as totals
from inferometer.energy.regions.profile import Profile
from inferometer.energy.session import Session
from simulation import RAPL_COUNTER, RAPL_FAULTS, S, run

WATTS = 80


class Machine:
    """A profile over one package at 80 W, whose time the test moves."""

    def __init__(self):
        self.clock = SimulatedClock()
        device = MeteredDevice("cpu:0", "cpu", "cpu", "sim")
        meter = SimulatedMeter(PowerCurve.steady(WATTS, 200), self.clock, RAPL_COUNTER, RAPL_FAULTS, device)
        self.session = Session([meter], device="cpu", clock=self.clock)
        self.session.sampler.start = lambda: None
        self.profile = Profile(self.session)
        self.pass_time(1)

    def pass_time(self, seconds):
        run(self.session, self.clock, self.clock.time_ns / S + seconds)


@pytest.fixture
def machine():
    return Machine()


def summed_up():
    """Wait for the threads that sum up visits, whatever else this machine does."""
    for thread in threading.enumerate():
        if thread.name == "inferometer-visits":
            thread.join()


def visit_often(machine, count=150):
    for _ in range(count):
        with machine.profile.region("many"):
            machine.pass_time(0.05)
        machine.pass_time(0.15)
        summed_up()


def test_who_asks_while_visits_settle_finds_each_of_them_once(machine, monkeypatch):
    """Visits were in neither list while they were summed up: upper bounds fell below the truth."""
    monkeypatch.setattr(totals, "SETTLE_AT", 40)
    profile, reckon, seen, asking = machine.profile, machine.session.visits, [], []
    profile.define("many").limit = 40

    def visits(uid, stretches):
        if not asking:  # from within the summing up
            asking.append(True)
            found = profile.energy_of(profile.totals()[0])
            seen.append((found.devices[0].low_j, found.busy_s, found.devices[0].high_j))
            asking.clear()
        return reckon(uid, stretches)

    monkeypatch.setattr(machine.session, "visits", visits)
    visit_often(machine, 300)
    assert len(profile.totals()[0].settled["cpu:0"]) >= 2 and len(seen) >= 2
    for low, busy_s, high in seen:
        assert low <= WATTS * busy_s <= high and busy_s > 1.5
    (many,) = profile.results()
    assert many.busy_s == pytest.approx(15, abs=0.1) == many.seconds
    assert many.devices[0].low_j <= WATTS * many.busy_s <= many.devices[0].high_j


def test_visits_are_summed_up_where_no_thread_can_be_begun(machine, monkeypatch):
    """As while the interpreter ends: the program met the error, and asking for results another one."""
    monkeypatch.setattr(totals, "SETTLE_AT", 40)
    machine.profile.define("many").limit = 40

    def refused(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    visit_often(machine)
    assert machine.profile.totals()[0].settled["cpu:0"]
    assert machine.profile.results()["many"].visits == 150


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_visits_that_could_not_be_summed_up_are_kept_and_tried_again(machine, monkeypatch):
    monkeypatch.setattr(totals, "SETTLE_AT", 40)
    machine.profile.define("many").limit = 40
    reckon, failures = machine.session.visits, [MemoryError("not now")]

    def visits(uid, stretches):
        if failures:
            raise failures.pop()
        return reckon(uid, stretches)

    monkeypatch.setattr(machine.session, "visits", visits)
    visit_often(machine, 300)
    assert not failures and machine.profile.totals()[0].settled["cpu:0"]
    many = machine.profile.results()["many"]
    assert many.busy_s == pytest.approx(15, abs=0.1)


def test_several_threads_asking_while_visits_end_see_no_bound_below_the_truth(machine, monkeypatch):
    monkeypatch.setattr(totals, "SETTLE_AT", 20)
    profile, wrong, done = machine.profile, [], threading.Event()
    profile.define("busy").limit = 20

    def ask():
        while not done.is_set():
            total = profile.totals()[0]
            with profile._lock:
                total.count()
            ended_s = total.time_ns / 1e9  # before it is asked: the answer is of these visits at least
            device = profile.energy_of(total).devices[0]
            if device.high_j is not None and device.high_j < WATTS * ended_s * 0.999 - 0.5:
                wrong.append((device.high_j, WATTS * ended_s))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(150):
        with profile.region("busy"):
            machine.pass_time(0.1)
        machine.pass_time(0.05)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_tasks_that_overlap_are_busy_once(machine):
    """Ten tasks of one second at once were called 8 W of 80: their time was added up, their energy was not."""
    profile = machine.profile

    async def task():
        visit = profile.begin("task")
        await asyncio.sleep(0)  # all ten have begun
        profile.end(visit)

    async def all_of_them():
        tasks = [asyncio.create_task(task()) for _ in range(10)]
        asyncio.get_running_loop().call_soon(machine.pass_time, 1.0)
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())
    results = profile.results()
    (found,) = results
    assert (found.visits, found.seconds) == (10, pytest.approx(10, abs=0.1))
    assert found.busy_s == pytest.approx(1, abs=0.01)
    (row,) = results.rows()
    assert row["power_w"] == pytest.approx(WATTS, rel=0.02) and row["busy_s"] == found.busy_s


def test_a_fork_within_a_region_and_a_region_left_in_the_child_are_told(machine):
    profile = machine.profile
    reader, writer = os.pipe()
    with profile.region("before"):
        machine.pass_time(0.5)
    region = profile.region("forked")
    region.__enter__()
    machine.pass_time(0.5)
    child = os.fork()
    if not child:
        said = b"nothing"
        try:
            with pytest.warns(RuntimeWarning, match="'forked' was begun before this process was forked"):
                region.__exit__(None, None, None)
            said = b"told"
        finally:
            os.write(writer, said)
            os._exit(0)
    os.waitpid(child, 0)
    region.__exit__(None, None, None)
    assert os.read(reader, 10) == b"told"
    os.close(reader)
    os.close(writer)
    before, forked = profile.results()
    assert before.note == "" and forked.note.startswith("forked 1 times within")
    assert "the children's energy is in it" in str(profile.results()).splitlines()[1]
    assert forked.note in profile.results().rows()[1]["reason"]
