"""Counters that are read by the quickest way at the edges of regions: what was seen is worked up later, and trouble is told."""

import os
import signal

import pytest

from inferometer.energy import Profile, open_session
from powercap import make_zone, set_counter


@pytest.fixture
def session(tmp_path):
    make_zone(tmp_path / "intel-rapl:0", "package-0")
    with open_session(meters=["rapl"], powercap=str(tmp_path)) as started:
        started.stop()
        yield started


def edge(session):
    (channel,) = session.channels.values()
    channel.track.catch_up()
    session.sampler.read_fast()
    return channel.track


def test_a_glance_tells_what_a_read_does(session, tmp_path):
    (meter,) = session.meters
    set_counter(tmp_path / "intel-rapl:0", 5_250_000)
    assert meter.told(meter.glance()) == meter.read() == 5.25
    track = edge(session)
    last_ns = track.last_ns
    set_counter(tmp_path / "intel-rapl:0", 6_500_000)
    assert edge(session).last_ns > last_ns
    window = track.window(last_ns, track.last_ns)
    assert window.energy_j[-1] - window.energy_j[-2] == pytest.approx(1.25)


@pytest.mark.parametrize("content", ["", "no number\n"])
def test_what_is_no_number_is_told_with_its_file(session, tmp_path, content):
    path = tmp_path / "intel-rapl:0" / "energy_uj"
    os.truncate(path, 0)
    path.write_text(content)
    assert str(path) in edge(session).failed
    set_counter(tmp_path / "intel-rapl:0", 7_000_000)
    assert edge(session).failed == ""


def test_a_look_that_fails_is_told_with_its_meter(session):
    (meter,) = session.meters
    os.close(meter._file)
    read_end, write_end = os.pipe()  # no file that can be read at a place
    os.dup2(read_end, meter._file)
    try:
        assert "cannot read rapl:package-0: Illegal seek" in edge(session).failed
    finally:
        os.close(read_end)
        os.close(write_end)


def test_nothing_is_read_once_meters_are_closed(tmp_path):
    """A file of the program's own may have the number of the one that was closed by then."""
    make_zone(tmp_path / "intel-rapl:0", "package-0")
    profile = Profile(open_session(meters=["rapl"], powercap=str(tmp_path)))
    visit = profile.begin("left too late")
    (channel,) = profile.session.channels.values()
    profile.close()
    last_ns = channel.track.last_ns
    (tmp_path / "other").write_text("9" * 12)
    with (tmp_path / "other").open():
        profile.end(visit)
        profile.begin("begun too late")
    assert channel.track.last_ns == last_ns


def test_a_child_that_is_forked_while_meters_are_read_waits_for_nobody(tmp_path):
    """The thread that reads them is not there to end it."""
    make_zone(tmp_path / "intel-rapl:0", "package-0")
    profile = Profile(open_session(meters=["rapl"], powercap=str(tmp_path)))
    with profile.session.sampler._edge:
        pid = os.fork()
        if pid == 0:
            signal.alarm(5)
            profile.begin("in the child")
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    profile.close()
