"""Powercap trees of real files: which zones are metered, once each, and what absence says."""

import csv
import os
import tempfile
from pathlib import Path

import pytest

from inferometer.cli import invoke
from inferometer.energy import Profile, open_session
from inferometer.energy.meters.built_in import rapl
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.selection import Selection
from inferometer.errors import MeterError
from powercap import make_zone, set_counter


def found(root):
    return rapl.find({"INFEROMETER_POWERCAP": str(root)})


def uids(root):
    meters = found(root).meters
    names = [m.device.uid for m in meters]
    for meter in meters:
        meter.close()
    return names


def two_sockets(root):
    for socket in (0, 1):
        make_zone(root / f"intel-rapl:{socket}", f"package-{socket}", 10**9 * socket)
        make_zone(root / f"intel-rapl:{socket}:0", "core")
        make_zone(root / f"intel-rapl:{socket}:1", "uncore")
        make_zone(root / f"intel-rapl:{socket}:2", "dram", 5 * 10**8, 65712999613)
    make_zone(root / "intel-rapl:2", "psys")
    (root / "intel-rapl").mkdir()


def test_packages_and_dram_but_no_core_uncore_or_psys(tmp_path):
    two_sockets(tmp_path)
    assert uids(tmp_path) == [
        "rapl:package-0",
        "rapl:package-0/dram",
        "rapl:package-1",
        "rapl:package-1/dram",
    ]


def test_each_zone_has_a_range_and_type_of_its_own(tmp_path):
    two_sockets(tmp_path)
    package, dram, *others = found(tmp_path).meters
    assert (package.device.type, dram.device.type) == ("cpu", "dram")
    assert package.traits.range_j == pytest.approx(262143.328850)
    assert dram.traits.range_j == pytest.approx(65712.999613)
    assert dram.read() == 500.0
    for meter in (package, dram, *others):
        meter.close()


def test_nested_tree_as_in_sys_devices(tmp_path):
    zone = tmp_path / "intel-rapl" / "intel-rapl:0"
    make_zone(zone, "package-0")
    make_zone(zone / "intel-rapl:0:0", "dram")
    assert uids(tmp_path) == ["rapl:package-0", "rapl:package-0/dram"]


def test_links_to_one_zone_count_once(tmp_path):
    real = make_zone(tmp_path / "devices" / "intel-rapl:0", "package-0")
    root = tmp_path / "class"
    root.mkdir()
    (root / "intel-rapl:0").symlink_to(real)
    assert uids(root) == ["rapl:package-0"]


def test_mmio_repeats_the_package(tmp_path):
    make_zone(tmp_path / "intel-rapl:0", "package-0", 7_000_000)
    make_zone(tmp_path / "intel-rapl-mmio:0", "package-0", 9_000_000)
    (meter,) = found(tmp_path).meters
    assert meter.read() == 7.0
    meter.close()


def test_dies_with_counters_of_their_own_are_kept_and_copies_are_not(tmp_path):
    make_zone(tmp_path / "intel-rapl:0", "package-0-die-0", 10**9)
    make_zone(tmp_path / "intel-rapl:1", "package-0-die-1", 10**9 + 1000)
    make_zone(tmp_path / "intel-rapl:2", "package-0-die-2", 7 * 10**8)
    assert uids(tmp_path) == ["rapl:package-0-die-0", "rapl:package-0-die-2"]


def test_psys_where_it_is_all_there_is(tmp_path):
    make_zone(tmp_path / "intel-rapl:0", "psys")
    (meter,) = found(tmp_path).meters
    assert meter.device.type == "psys"
    meter.close()


def test_a_zone_that_vanishes_is_one_line(tmp_path):
    zone = make_zone(tmp_path / "intel-rapl:0", "package-0")
    (meter,) = found(tmp_path).meters
    with (zone / "energy_uj").open("w") as file:
        file.truncate()
    with pytest.raises(MeterError, match="cannot read"):
        meter.read()
    meter.close()
    with pytest.raises(MeterError, match="closed"):
        meter.read()


def test_no_tree_names_the_option(tmp_path):
    (absence,) = found(tmp_path / "nowhere").absences
    assert "--powercap" in absence.line


def test_root_only_counters_name_the_cve_and_the_remedy():
    identity = None if os.geteuid() != 0 else 65534
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        zone = make_zone(root / "intel-rapl:0", "package-0")
        (zone / "energy_uj").chmod(0)
        try:
            if identity:
                os.seteuid(identity)
            (absence,) = found(root).absences
        finally:
            if identity:
                os.seteuid(0)
    assert "CVE-2020-8694" in absence.line
    assert "chmod a+r" in absence.line


def test_a_range_that_cannot_be_read_is_named_with_a_remedy_of_its_own(tmp_path):
    zone = make_zone(tmp_path / "intel-rapl:0", "package-0")
    (zone / "max_energy_range_uj").unlink()
    (absence,) = found(tmp_path).absences
    assert f"{zone}/max_energy_range_uj cannot be read: No such file" in absence.line
    assert "energy_uj" not in absence.line
    (zone / "max_energy_range_uj").write_text("none\n")
    (absence,) = found(tmp_path).absences
    assert f"{zone}/max_energy_range_uj cannot be read: no number in it" in absence.line


@pytest.mark.parametrize("broken", ["energy_uj", "max_energy_range_uj"])
def test_another_copy_of_a_zone_that_can_be_read_is_used(tmp_path, broken):
    zone = make_zone(tmp_path / "intel-rapl:0", "package-0", 7_000_000)
    make_zone(tmp_path / "intel-rapl-mmio:0", "package-0", 9_000_000)
    (zone / broken).write_text("\n")
    result = found(tmp_path)
    (meter,) = result.meters
    assert meter.read() == 9.0 and result.absences == ()
    meter.close()


def test_a_socket_that_cannot_be_read_is_told_wherever_joules_are(tmp_path, monkeypatch, capfd):
    """`measure` said nothing of it and halved the total."""
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path / "characterizations"))
    for socket in (0, 1):
        make_zone(tmp_path / "tree" / f"intel-rapl:{socket}", f"package-{socket}")
    (tmp_path / "tree" / "intel-rapl:1" / "energy_uj").write_text("\n")
    tree = str(tmp_path / "tree")
    rows = tmp_path / "rows.csv"
    assert invoke(["measure", "--powercap", tree, "--meter", "rapl", "--csv", str(rows), "--", "true"]) == 0
    assert "energy  not metered: rapl rapl:package-1: cannot read" in capfd.readouterr().err
    told = list(csv.DictReader(rows.read_text().splitlines()))
    assert [row["device_uid"] for row in told] == ["rapl:package-0", "rapl:package-1"]
    assert (told[1]["source"], told[1]["energy_j"]) == ("none", "") and "cannot read" in told[1]["reason"]
    with open_session("cpu", ["rapl"], powercap=tree) as session:
        (told,) = session.flags([(1, 2, 3)])
        assert (told.kind, told.values["device"]) == ("not-metered", "rapl:package-1")
        profile = Profile(session)
        with profile.region("work"):
            pass
        assert str(profile.results()).splitlines()[-1].startswith("not metered: rapl rapl:package-1: cannot")


def test_selection_by_meter_type_name_and_uid(tmp_path):
    two_sockets(tmp_path)

    def chosen(*terms):
        found = discover(Selection.parse(terms), {"INFEROMETER_POWERCAP": str(tmp_path)})
        for meter in found.meters:
            meter.close()
        return [m.device.uid for m in found.meters]

    assert chosen("type=dram") == ["rapl:package-0/dram", "rapl:package-1/dram"]
    assert chosen("!type=dram") == ["rapl:package-0", "rapl:package-1"]
    assert chosen("rapl", "!name=*package-1*") == ["rapl:package-0", "rapl:package-0/dram"]
    assert chosen("uid=rapl:package-1") == ["rapl:package-1"]
    assert chosen("nvml") == []
    assert chosen("!rapl") == []


def test_a_session_reads_real_files(tmp_path):
    zone = make_zone(tmp_path / "intel-rapl:0", "package-0", 262143328850 - 1000, 262143328850)
    with open_session("cpu", ["rapl"], powercap=str(tmp_path)) as session:
        session.sampler.read_fast()
        set_counter(zone, 2_000_000)  # wraps
        session.sampler.read_fast()
        (channel,) = session.sampler.channels.values()
        assert channel.track.window(0, channel.track.last_ns).energy_j[-1] == pytest.approx(2.001)
        assert session.reason == ""
