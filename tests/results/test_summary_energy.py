"""Energy in summaries."""

import msgspec
import pytest

from inferometer import tables
from inferometer.flags import flag, words
from inferometer.records import Energy, Record
from inferometer.results.metrics import METRICS, PHASES
from inferometer.results.ranking import rank_cells
from inferometer.results.summary import summarise
from inferometer.tables import overview
from simulated_runs import cell, metered, record, rounds_of, run
from summaries_of import only, told_of


def test_energy_by_hand():
    summary = only(rounds_of(cell(), [1000.0, 1000.0], power_w=50.0))
    assert summary.power.value == pytest.approx(50.0)
    assert summary.energy_image.value == pytest.approx(0.05)
    assert summary.images_per_joule.value == pytest.approx(20.0)
    assert summary.images_per_watt.value == pytest.approx(20.0)
    assert summary.energy_time.value == pytest.approx(0.05 / 1000)
    assert summary.power.source == "nvml counter"
    assert summary.power.high == pytest.approx(50.5, rel=1e-3)  # the meter's own 1 %
    assert summary.energy_time.high == pytest.approx(0.05 / 1000 * 1.01, rel=1e-3)


def at_rest(energy, idle_w):
    """Return the energy with its devices' power at rest known."""
    devices = tuple(msgspec.structs.replace(device, idle_w=idle_w) for device in energy.devices)
    return msgspec.structs.replace(energy, devices=devices)


def test_energy_net_of_what_the_device_takes_at_rest():
    (gross,) = rounds_of(cell(), [1000.0], power_w=50.0)
    summary = only([msgspec.structs.replace(gross, energy=at_rest(gross.energy, 20.0))])
    assert METRICS["idle_power"].of(summary).value == 20.0
    assert summary.energy_net.value == pytest.approx(0.03)
    width = summary.energy_image.high - summary.energy_image.value
    assert summary.energy_net.high == pytest.approx(0.03 + width)
    assert only([gross]).energy_net is None  # at rest: not known
    all_of_it = msgspec.structs.replace(gross, energy=at_rest(gross.energy, 50.0))
    assert only([all_of_it]).energy_net is None


def test_every_row_is_net_of_the_same_power_at_rest():
    """Of an H100's rows one was known at rest with its model in memory, at 130 W, and seemed to take half of the others' joules."""
    (gross,) = rounds_of(cell(), [1000.0], power_w=200.0)
    energies = [
        msgspec.structs.replace(at_rest(gross.energy, power), idle_w=labels)
        for power, labels in ((75.0, {"before": 75.0}), (130.0, {"before": 75.0, "loaded": 130.0}))
    ]
    plain, loaded = (only([msgspec.structs.replace(gross, energy=energy)]) for energy in energies)
    assert (plain.energy_net, plain.idle_power) == (loaded.energy_net, loaded.idle_power)
    assert loaded.energy_net.value == pytest.approx(0.125)
    only_loaded = msgspec.structs.replace(at_rest(gross.energy, 130.0), idle_w={"loaded": 130.0})
    assert only([msgspec.structs.replace(gross, energy=only_loaded)]).energy_net is None


def test_phases_are_means_over_rounds_without_an_interval():
    phases = ({"copy_in": 0.001, "compute": 0.004}, {"copy_in": 0.003, "compute": 0.006}, {})
    counts = (10, 5, 0)
    rounds = [
        msgspec.structs.replace(one, phases=found, phase_batches=count)
        for one, found, count in zip(rounds_of(cell(), [1000.0] * 3), phases, counts, strict=True)
    ]
    summary = only(rounds)
    assert summary.phases["copy_in"].value == pytest.approx(0.002)
    compute = METRICS["compute"].of(summary)
    assert (compute.low, compute.high, compute.unit) == (None, None, "s")
    assert (compute.source, compute.n) == ("mean of 15 batches in 2 rounds", 2)
    assert METRICS["copy_out"].of(summary) is None
    older = only([msgspec.structs.replace(one, phase_batches=0) for one in rounds])
    assert older.phases["compute"].source == "mean over 2 rounds"


def test_nobody_is_best_at_a_phase():
    fast, slow = record(cell("tf"), rate=2000.0), record(cell("onnxrt"), rate=1000.0)
    results = summarise([run([fast, slow])])
    places = rank_cells(results.summaries, METRICS["copy_in"])
    assert sorted(place.value for place in places.values()) == pytest.approx([0.0012, 0.0024])
    assert not any(place.best or place.tie or place.best_overall for place in places.values())


def test_flat_rows_hold_phases_in_seconds_and_where_they_are_from():
    known, pipelined = overview.flat_rows(
        summarise([run([record(cell(), rate=1000.0), record(cell(mode="host-pipelined"))])])
    )
    assert known["copy_in_s"] == pytest.approx(0.0024)
    assert known["enqueue_s"] < known["compute_s"]
    assert known["phases_source"] == "mean of 10 batches in 1 round"
    assert "copy_in_low" not in known and "copy_in" not in known
    assert [pipelined[f"{name}_s"] for name in PHASES] == [None] * 4
    assert pipelined["phases_source"] == ""


def test_energy_of_another_device_is_not_that_of_the_work():
    (other,) = rounds_of(cell(), [1000.0], power_w=50.0)
    absent = msgspec.structs.replace(other.energy, primary="", reason="no meter: nvml: no driver")
    summary = only([msgspec.structs.replace(other, energy=absent)])
    assert (summary.power, summary.energy_image) == (None, None)
    assert summary.energy_reason == "no meter: nvml: no driver"


def by(meter, kind, joules_an_image, round_=0, framework="onnxrt"):
    """Return a record whose energy a meter of this kind told."""
    energy = metered(joules_an_image * 256, 0.256, 256)
    device = msgspec.structs.replace(energy.devices[0], meter=meter, device_type=kind)
    return record(cell(framework), round_, energy=msgspec.structs.replace(energy, devices=(device,)))


def test_energies_of_two_meters_have_no_mean():
    first = run([by("rapl", "cpu", 0.5, n) for n in range(2)], "a")
    second = run([by("mqtt", "external", 2.0)], "b")
    results = summarise([first, second])
    (summary,) = results.summaries
    assert summary.energy_image.value == pytest.approx(0.5) and summary.meter == "rapl (cpu)"
    remark = flag("one-meter", meter="rapl (cpu)", others="1 round by mqtt (external)")
    assert summary.energy_image.remark == summary.power.remark == summary.images_per_joule.remark == remark
    assert f"{words(remark)}: onnxrt at 8" in told_of(results)
    assert summary.rounds == 3  # their speeds are of one thing


def test_one_socket_is_another_meter_than_both():
    whole = by("rapl", "cpu", 1.0)
    (device,) = whole.energy.devices
    both = msgspec.structs.replace(device, device_uid="rapl:package-0+rapl:package-1")
    whole = msgspec.structs.replace(whole, energy=Energy((both,), both.device_uid))
    assert only([whole]).meter == "rapl (cpu, 2 packages)"
    assert only([by("rapl", "cpu", 0.5)]).meter == "rapl (cpu)"


def test_cells_of_two_meters_are_not_rivals_in_energy():
    runs = [run([by("rapl", "cpu", 0.5)], "a"), run([by("mqtt", "external", 2.0, framework="tf")], "b")]
    results = summarise(runs)
    places = rank_cells(results.summaries, METRICS["energy"])
    assert [place.best for place in places.values()] == [True, True]
    assert sum(place.best for place in rank_cells(results.summaries, METRICS["throughput"]).values()) == 1
    (table,) = tables.build(results, METRICS["energy"])
    assert [note.partition(":")[0] for note in table.notes] == [
        "energy by rapl (cpu)",
        "energy by mqtt (external)",
    ]


def test_no_energy_says_why():
    summary = only([record(cell(), energy=Energy(reason="no meter: no permission"))])
    assert summary.power is None
    assert summary.energy_reason == "no meter: no permission"


def test_published_means_stand_in_for_missing_loops():
    summary = only([Record(cell(), 0, "ok", published={"throughput": 200.0, "power": 50.0})])
    assert (summary.throughput.value, summary.throughput.low, summary.throughput.source) == (
        200.0,
        None,
        "published",
    )
    assert summary.energy_image.value == pytest.approx(0.25)
    assert summary.latency_image.value == pytest.approx(0.005)
    assert summary.rounds == 0
