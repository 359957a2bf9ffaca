"""Regions of anyone's code over a simulated device: nesting, overlap, threads, repetition, no meter."""

import asyncio
import inspect
import threading

import pandas
import pytest

from inferometer import energy
from inferometer.energy.meters.found import Absence
from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice
from inferometer.energy.regions.profile import Profile
from inferometer.energy.regions.results import COLUMNS, RegionEnergy
from inferometer.energy.regions.total import SETTLE_AT
from inferometer.energy.session import Session
from inferometer.errors import UsageError
from inferometer.records import DeviceEnergy
from simulation import GPU_COUNTER, GPU_FAULTS, RAPL_COUNTER, S, run


class Bench:
    """A profile over simulated meters whose time a test moves."""

    def __init__(self, *meters):
        self.clock = SimulatedClock()
        made = [
            SimulatedMeter(curve, self.clock, traits, faults, device)
            for curve, traits, faults, device in meters
        ]
        self.session = Session(made, [Absence("rapl", "cpu", "none here", "do x")], clock=self.clock)
        self.session.sampler.start = lambda: None  # the test steps it
        self.profile = Profile(self.session)
        self.pass_time(2)

    def pass_time(self, seconds):
        run(self.session, self.clock, self.clock.time_ns / S + seconds)


GPU = MeteredDevice("gpu:0", "gpu", "gpu", "sim")
CPU = MeteredDevice("cpu:0", "cpu", "cpu", "sim")
CURVE = PowerCurve((0, 5, 8, 90), (100, 300, 50))


@pytest.fixture
def bench():
    return Bench(
        (CURVE, GPU_COUNTER, GPU_FAULTS, GPU), (PowerCurve.steady(80, 90), RAPL_COUNTER, Faults(), CPU)
    )


def truth(start, end):
    return CURVE.span_j(start, end)


def test_nested_and_overlapping_regions_each_have_their_own_energy(bench):
    profile = bench.profile
    with profile.region("outer"):
        bench.pass_time(2)
        inner = profile.begin("inner")
        bench.pass_time(2)
        overlapping = profile.begin("overlapping")
        bench.pass_time(1)
        profile.end(inner)
        bench.pass_time(3)
    profile.end(overlapping)
    results = profile.results()
    assert [r.name for r in results] == ["outer", "inner", "overlapping"]
    for name, start, end in (("outer", 2, 10), ("inner", 4, 7), ("overlapping", 6, 10)):
        gpu, cpu = results[name].devices
        assert results[name].seconds == pytest.approx(end - start, abs=0.1)
        assert gpu.low_j <= truth(start, end) <= gpu.high_j
        assert gpu.energy_j == pytest.approx(truth(start, end), rel=0.05)
        assert cpu.energy_j == pytest.approx(80 * (end - start), rel=0.02)
        assert results[name].energy_j == gpu.energy_j + cpu.energy_j


def test_repeated_visits_add_up_and_many_short_ones_back_to_back_are_resolved(bench):
    region = bench.profile.region("step")
    for _ in range(100):
        with region:
            bench.pass_time(0.02)
    (step,) = bench.profile.results()
    assert step.visits == 100
    gpu = step.devices[0]
    assert gpu.source == "counter"
    assert gpu.energy_j == pytest.approx(truth(2, 4), rel=0.05)


def test_a_single_short_visit_has_an_estimate_and_is_flagged_with_the_width(bench):
    with bench.profile.region("blink"):
        bench.pass_time(0.02)
    blink = bench.profile.results()["blink"]
    gpu, cpu = blink.devices
    assert gpu.low_j <= 2 <= gpu.high_j and gpu.low_j < gpu.energy_j < gpu.high_j
    assert gpu.unresolved.startswith("±") and "too short" in gpu.reason
    assert blink.energy_j == gpu.energy_j + cpu.energy_j
    row, _ = [row for row in bench.profile.results().rows() if row["region"] == "blink"]
    assert (row["unresolved"], row["energy_j"]) == (gpu.unresolved, gpu.energy_j)


def test_a_visit_is_ended_once_and_by_what_begin_returned(bench):
    visit = bench.profile.begin("once")
    bench.pass_time(1)
    bench.profile.end(visit)
    with pytest.raises(UsageError, match="'once' has ended already"):
        bench.profile.end(visit)
    with pytest.raises(UsageError, match="end takes what begin returned, not 'once'"):
        bench.profile.end("once")
    assert bench.profile.results()["once"].seconds == pytest.approx(1, abs=0.1)


def test_results_print_as_a_line_a_region(bench):
    with bench.profile.region("whole"):
        bench.pass_time(2)
        with bench.profile.region("blink"):
            bench.pass_time(0.02)
    whole, blink = str(bench.profile.results()).splitlines()
    assert whole.startswith("whole  1 visit, 2.0") and " J (" in whole and "; cpu" in whole
    assert blink.startswith("blink  1 visit, 2") and "unresolved, ±" in blink and "too short" in blink


@pytest.mark.parametrize("pause_s", [0, 0.0003, 0.005])
def test_visits_beyond_the_limit_are_summed_up_without_loss(bench, pause_s):
    visits, began = 2 * SETTLE_AT + 100, []
    for i in range(visits):
        visit = bench.profile.begin("many")
        began.append(visit.start_ns / S)
        bench.clock.time_ns += 2_000_000
        bench.profile.end(visit)
        bench.clock.time_ns += round(pause_s * S)
        if i % 40 == 0:
            run(bench.session, bench.clock, bench.clock.time_ns / S)
    bench.pass_time(1)
    many = bench.profile.results()["many"]
    (total,) = bench.profile.totals()
    assert len(total.pending) < visits
    assert many.visits == visits
    gpu, cpu = many.devices
    assert cpu.low_j <= 80 * many.seconds <= cpu.high_j
    if pause_s < 0.001:
        assert cpu.energy_j == pytest.approx(80 * many.seconds, rel=0.02)
    else:
        assert gpu.low_j <= sum(truth(at, at + 0.002) for at in began) <= gpu.high_j


def test_a_visit_that_has_not_ended_is_in_no_figure(bench):
    """Joules a visit were those of one visit less than were counted."""
    for _ in range(2):
        with bench.profile.region("step"):
            bench.pass_time(1)
        bench.pass_time(1)
    visit = bench.profile.begin("step")
    bench.pass_time(1)
    found = bench.profile.results()["step"]
    assert (found.visits, found.unended) == (2, 1) and found.seconds == pytest.approx(2, abs=0.1)
    assert found.note == "1 more visit not ended yet: in no figure"
    bench.profile.end(visit)
    found = bench.profile.results()["step"]
    assert (found.visits, found.unended, found.note) == (3, 0, "")


def test_decorator_keeps_name_arguments_and_result_and_ends_on_errors(bench):
    @bench.profile.region("f")
    def divide(a, b=1):
        """Divide."""
        return a / b

    assert divide(6, b=3) == 2
    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
    assert (divide.__name__, divide.__doc__) == ("divide", "Divide.")
    assert bench.profile.results()["f"].visits == 2


def test_recursion_and_threads_share_a_region(bench):
    region = bench.profile.region("r")

    @region
    def down(n):
        return n and down(n - 1)

    down(3)
    threads = [threading.Thread(target=down, args=(1,)) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    assert [(r.thread, r.visits) for r in bench.profile.results()] == [(0, 4), (1, 2), (2, 2)]


def test_rows_csv_and_pandas_agree(bench, tmp_path):
    with bench.profile.region('a,"b"'):
        bench.pass_time(3)
    results = bench.profile.results()
    table = results.to_pandas()
    assert tuple(table.columns) == COLUMNS
    text = results.to_csv(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_bytes().decode() == text
    read = pandas.read_csv(tmp_path / "r.csv")
    assert list(read.region) == ['a,"b"'] * 2
    assert read.energy_j[0] == pytest.approx(table.energy_j[0])
    assert read.power_w[1] == pytest.approx(80, rel=0.02)


def test_a_name_that_begins_a_formula_is_text_in_csv(bench):
    with bench.profile.region("=1+1"):
        bench.pass_time(3)
    assert "'=1+1," in bench.profile.results().to_csv()


def test_without_a_meter_time_is_measured_and_the_reason_told():
    bench = Bench()
    with bench.profile.region("alone"):
        bench.clock.time_ns += S
    (row,) = bench.profile.results().rows()
    assert (row["time_s"], row["source"], row["energy_j"]) == (1.0, "none", None)
    assert row["reason"] == "no meter: rapl: none here (do x)"


def test_the_process_wide_functions(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_POWERCAP", str(tmp_path))
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    energy.reset()
    energy.configure(["rapl"])
    visit = energy.begin("one")
    energy.end(visit)
    with energy.region("two"):
        pass
    assert [r.name for r in energy.results()] == ["one", "two"]
    with pytest.raises(energy_error(), match="before the first region"):
        energy.configure(["rapl"])
    energy.reset()
    assert list(energy.results()) == []
    energy.reset()


def energy_error():
    from inferometer.errors import UsageError

    return UsageError


def test_a_coroutine_is_measured_until_it_returns(bench):
    @bench.profile.region("load")
    async def load(seconds):
        bench.pass_time(seconds)
        await asyncio.sleep(0)
        bench.pass_time(seconds)
        return seconds

    async def both():
        return await asyncio.gather(load(1), load(2))

    assert asyncio.run(both()) == [1, 2] and inspect.iscoroutinefunction(load)
    [found] = bench.profile.results()
    assert found.visits == 2
    assert found.seconds == pytest.approx(
        9, abs=0.1
    )  # 1 2 1 2: the first ends after 4 s, the second lasts 5 s


def test_a_generator_cannot_be_decorated(bench):
    region = bench.profile.region("rows")

    def rows():
        yield 1

    async def later():
        yield 1

    for function in (rows, later):
        with pytest.raises(UsageError, match=r"cannot decorate the generator .*with region"):
            region(function)


@pytest.mark.parametrize(
    ("devices", "joules"),
    [
        ([("gpu", 300), ("cpu", 60), ("dram", 5)], 365),
        ([("gpu", 300), ("cpu", 60), ("external", 500)], 360),  # the wall plug sees both of them
        ([("cpu", 60), ("psys", 90)], 60),
        ([("external", 500)], 500),
        ([("external", 500), ("external", 480)], None),  # a wall plug and a BMC, or two halves of a server
        ([("external", 20), ("external", 12), ("other", 3)], None),  # a Jetson's whole and its largest rail
        ([("gpu", None), ("cpu", 60)], None),
        ([("gpu", 300), ("external", None)], 300),
        ([], None),
    ],
)
def test_what_a_region_took_counts_no_joule_twice(devices, joules):
    found = [
        DeviceEnergy(f"{i}", "", kind, "sim", "counter", energy_j=j) for i, (kind, j) in enumerate(devices)
    ]
    assert RegionEnergy("r", 0, 1, 1.0, 1.0, tuple(found)).energy_j == joules
