"""The worker's share of the processors' energy: by its processor time, beside the whole, never in its place."""

import msgspec
import pytest

from inferometer.records import Actual, DeviceEnergy, Energy
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.running.monitoring.worker_share import with_worker_share
from inferometer.statement.boundary import parts_of, total
from simulated_runs import cell, record, run


def device(uid, joules, kind="cpu"):
    return DeviceEnergy(uid, uid, kind, "rapl", "counter", 2.0, 256, joules, 0.9 * joules, 1.1 * joules)


def made(*devices, primary="p0+p1", round_=0, **processors):
    bare = record(cell(device="cpu"), round_, actual=Actual("cpu", details={"processors": processors}))
    return msgspec.structs.replace(bare, energy=with_worker_share(Energy(devices, primary), bare))


SOCKETS = (device("p0", 60.0), device("p1", 40.0), device("dram", 10.0, "dram"), device("p0+p1", 100.0))


def test_of_several_sockets_the_whole_is_shared_once():
    energy = made(*SOCKETS, own_of_all=0.25).energy
    *kept, share = energy.devices
    assert tuple(kept) == SOCKETS and energy.primary == "p0+p1"
    assert (share.device_uid, share.device_type, share.source) == ("share:p0+p1", "share", "estimated")
    assert share.energy_j == pytest.approx(25.0)
    assert share.low_j is None and share.high_j is None
    assert share.reason.startswith("25 % of all processor time on this host")


@pytest.mark.parametrize("processors", [{}, {"own_of_all": 0.0}, {"own_of_all": 1.5}, {"own_of_all": "?"}])
def test_without_a_share_of_the_time_there_is_none_of_the_energy(processors):
    assert made(*SOCKETS, **processors).energy.devices == SOCKETS


def test_without_energy_there_is_no_share_of_it():
    blind = msgspec.structs.replace(device("p0", 60.0), energy_j=None, source="unresolved")
    assert made(blind, primary="p0", own_of_all=0.5).energy.devices == (blind,)
    gpu = device("GPU-1", 60.0, "gpu")
    assert made(gpu, primary="GPU-1", own_of_all=0.5).energy.devices == (gpu,)


def test_sockets_by_the_kernels_power_meters_are_this_hosts_too():
    sockets = [msgspec.structs.replace(one, meter="hwmon") for one in SOCKETS if one.device_type == "cpu"]
    assert made(*sockets, own_of_all=0.25).energy.devices[-1].energy_j == pytest.approx(25.0)


def test_a_meter_on_the_network_may_be_of_another_host():
    remote = msgspec.structs.replace(device("mqtt:p0", 60.0), meter="mqtt")
    assert made(remote, primary="mqtt:p0", own_of_all=0.5).energy.devices == (remote,)


def test_it_is_a_metric_of_its_own_and_in_no_other():
    rounds = [made(*SOCKETS, own_of_all=0.25, round_=number) for number in range(3)]
    (summary,) = summarise([run(rounds)]).summaries
    assert summary.energy_image.value == pytest.approx(100 / 256)
    found = METRICS["energy_share"].of(summary)
    assert (found.value, found.source) == (pytest.approx(25 / 256), "estimated")
    bare = [made(*SOCKETS, round_=number) for number in range(3)]
    (without,) = summarise([run(bare)]).summaries
    assert without.energy_image == summary.energy_image
    assert METRICS["energy_share"].of(without) is None


def test_a_statement_tells_it_beside_what_it_includes():
    rounds = [made(*SOCKETS, own_of_all=0.25, round_=number) for number in range(3)]
    (summary,) = summarise([run(rounds)]).summaries
    parts = {part.uid: part for part in parts_of(summary, "metered")}
    assert [uid for uid, part in parts.items() if part.included] == ["p0+p1", "dram"]
    assert parts["share:p0+p1"].energy.value == pytest.approx(25 / 256)
    assert total(parts.values()).value == pytest.approx(110 / 256)
