"""BMCs by Redfish, over real HTTP: what is read of a chassis, joules of a span, and trouble in one line each."""

import threading
import time

import pytest

from bmc import CHASSIS, SENSOR, mockup, serving_bmc
from broker import free_port
from inferometer.cli import invoke
from inferometer.energy import open_session
from inferometer.energy.integration.integrate import span_energy
from inferometer.energy.meters.built_in import redfish
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.selection import Selection
from inferometer.energy.readings import Reading
from inferometer.energy.sampling.channel import Channel
from inferometer.energy.tools.shared_meters import shared_session
from inferometer.errors import UsageError
from simulation import S

METRICS = f"{CHASSIS}/1/EnvironmentMetrics"
WATTS = ("PowerWatts", {"Reading": 374.5, "DataSourceUri": SENSOR})
KWH = ("EnergykWh", {"Reading": 36.166, "LifetimeReading": 325675.25})
JOULES = ("EnergyJoules", {"Reading": 1000.5})


def found(bmc, **environ):
    return redfish.find({"INFEROMETER_REDFISH": bmc.url, **environ})


def source_of(*excerpts, supplies=()):
    with serving_bmc(mockup(*excerpts, supplies=supplies)) as bmc:
        answer = found(bmc)
        for meter in answer.meters:
            value = meter.source.read(meter.service)
            meter.close()
            return meter, value
        return None, answer.absences[0].line


def test_power_of_a_chassis_with_its_sensors_interval():
    meter, value = source_of(WATTS, KWH)
    assert value == 374.5
    assert (meter.device.type, meter.device.name) == ("external", "Contoso 3500RX")
    assert meter.device.uid.endswith(f"{CHASSIS}/1")
    assert (meter.traits.kind, meter.traits.period_s, meter.traits.resolution) == ("power", 0.2, 0.1)
    assert meter.traits.push and not meter.traits.integrates


def test_a_chassis_sends_the_terminal_nothing(monkeypatch, capfd):
    told = mockup(WATTS)
    told[f"{CHASSIS}/1"]["Model"] = "3500\x1b]0;owned\x07"
    with serving_bmc(told) as bmc:
        monkeypatch.setenv("INFEROMETER_REDFISH", bmc.url)
        assert invoke(["meters", "--meter", "redfish"]) == 0
    shown = capfd.readouterr().out
    assert r"Contoso 3500\x1b]0;owned\x07" in shown and not set("\x1b\x07") & set(shown)


def test_a_counter_of_joules_comes_first_and_one_of_kilowatt_hours_last():
    meter, value = source_of(WATTS, JOULES)
    assert (meter.traits.kind, value, meter.traits.resolution) == ("counter", 1000.5, 0.1)
    meter, value = source_of(KWH, supplies=(120.0,))
    assert (meter.traits.kind, value) == ("power", 120.0)
    meter, value = source_of(KWH)
    assert (meter.traits.kind, value) == ("counter", pytest.approx(325675.25 * 3.6e6))
    assert meter.traits.resolution == pytest.approx(0.01 * 3.6e6)  # as fine as its digits


def test_power_supplies_add_up_but_only_if_all_of_them_tell():
    meter, value = source_of(supplies=(110.5, None, 131))
    assert value == 241.5 and meter.source.key == "InputPowerWatts"
    none, told = source_of(supplies=(110.5, "n/a"))
    assert none is None and "no chassis tells energy or power" in told


def test_joules_of_a_span_come_from_the_chassis(monkeypatch):
    with serving_bmc(mockup(WATTS)) as bmc:
        bmc.set(METRICS, "PowerWatts", 200)
        with open_session("cuda:0", ["redfish", bmc.url]) as session:
            for _ in range(
                8
            ):  # in real time, on a machine that may have no time for the BMC's readings at first
                time.sleep(3.0)
                end_ns = session.clock.now_ns() - 500_000_000
                energy = session.energy([(end_ns - 2_000_000_000, end_ns, 64)])
                (device,) = energy.devices
                if device.source == "sampled":
                    break
    assert (energy.primary, device.source) == (device.device_uid, "sampled"), device
    assert device.low_j <= 400 <= device.high_j


def test_a_counters_joules(monkeypatch):
    done = threading.Event()
    with serving_bmc(mockup(JOULES)) as bmc:
        begin = time.monotonic()

        def count():
            while not done.wait(0.01):
                bmc.set(METRICS, "EnergyJoules", round(100 * (time.monotonic() - begin), 1))

        thread = threading.Thread(target=count)
        thread.start()
        try:
            with open_session("cpu", ["redfish", bmc.url]) as session:
                time.sleep(1.0)
                start_ns = session.clock.now_ns()
                time.sleep(4.0)
                (joules,) = session.span(start_ns, start_ns + 4_000_000_000).values()
        finally:
            done.set()
            thread.join()
    assert joules.low_j <= 400 <= joules.high_j


def counter_of(told):
    """Return a BMC's counter of joules whose sensor tells this interval; None: it tells none."""
    resources = mockup(("EnergyJoules", {"Reading": 1000, "DataSourceUri": SENSOR}))
    resources[SENSOR]["SensingInterval"] = told
    with serving_bmc(resources) as bmc:
        (meter,) = found(bmc).meters
        meter.close()
    return meter


@pytest.mark.parametrize(
    ("told", "period_s"),
    [("PT5S", 5.0), ("PT0.2S", 0.2), ("PT1M", 60.0), (None, None), ("PT0S", None), ("7", None)],
)
def test_how_often_a_counter_is_renewed_is_what_its_sensor_tells(told, period_s):
    meter = counter_of(told)
    assert meter.traits.period_known == (period_s is not None)
    assert meter.traits.period_s == (period_s or redfish.PERIOD_S)
    assert meter.source.look_s == 1.0  # whatever it is: a look dates an update to a second


@pytest.mark.parametrize("told", [None, "PT5S", "PT1S"])  # untold, right, and wrong
@pytest.mark.parametrize("watts", [3_000.0, 9_000.0])
def test_a_counter_that_is_renewed_every_5_s_is_not_current_at_every_look(told, watts):
    """0 to 1 J was said of 3 s at 3 kW."""
    meter = counter_of(told)
    track, traits = Channel.of(meter).track, meter.traits
    for at_s in range(40):
        shown = watts * 5 * ((at_s + 2) // 5)
        track.append(Reading(at_s * S, at_s * S + 20_000_000, shown))
    for start_s, end_s in ((5, 7), (6, 9), (10.5, 11.5), (8.9, 20.1), (4, 33)):
        start, end = round(start_s * S), round(end_s * S)
        joules = span_energy(track.window(start, end), traits, start, end)
        assert joules.low_j <= watts * (end_s - start_s) <= joules.high_j, (start_s, end_s, joules)


def test_a_bmc_that_is_served_to_others_is_asked_by_one_thread():
    """Two threads asked over one connection: the meter went up and down."""
    with serving_bmc(mockup(WATTS)) as bmc, open_session("cpu", ["redfish", bmc.url]) as session:
        again, shared = shared_session(session, 1.0)
        assert not shared and [t.name for t in threading.enumerate()].count("inferometer-redfish") == 1
        (channel,) = again.channels.values()
        end = time.monotonic() + 10
        while len(channel.track) < 4 and time.monotonic() < end:
            time.sleep(0.02)
        assert len(channel.track) >= 4 and not channel.track.breaks


def test_a_bmc_that_fails_in_between_is_told_and_comes_back():
    with serving_bmc(mockup(WATTS)) as bmc, open_session("cpu", ["redfish", bmc.url]) as session:
        (channel,) = session.channels.values()

        def wait_for(condition):
            end = time.monotonic() + 10
            while not condition():
                assert time.monotonic() < end
                time.sleep(0.02)

        wait_for(lambda: len(channel.track))
        bmc.status = 503
        wait_for(lambda: channel.track.failed)
        assert f"answers 503 for {METRICS}" in channel.track.failed
        bmc.status = 0
        wait_for(lambda: not channel.track.failed)
        bmc.set(METRICS, "PowerWatts", None)  # as while a BMC restarts
        wait_for(lambda: channel.track.failed)
        assert "no PowerWatts.Reading now" in channel.track.failed


def test_a_password_is_asked_for_and_never_shown(monkeypatch):
    with serving_bmc(mockup(WATTS), password="se:cret") as bmc:
        (absence,) = found(bmc, INFEROMETER_REDFISH_CREDS="root:wrong").absences
        assert "INFEROMETER_REDFISH_CREDS=user:password" in absence.line and "wrong" not in absence.line
        (absence,) = found(bmc, INFEROMETER_REDFISH_CREDS="root").absences
        assert "not of the form" in absence.line
        (meter,) = found(bmc, INFEROMETER_REDFISH_CREDS="root:se:cret").meters
        meter.close()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>", "is no JSON"),
        (b"[1]", "is no resource"),
        (b'{"Members": 7}', "no chassis tells energy"),
        (b'{"Members": [{"@odata.id": "http://elsewhere/"}, 3]}', "no chassis tells energy"),
        (b" " * ((1 << 20) + 2), "more than 1048576 bytes"),
    ],
)
def test_nonsense_is_one_line(body, told):
    with serving_bmc(mockup(WATTS)) as bmc:
        bmc.body = body
        (absence,) = found(bmc).absences
    assert told in absence.line and "\n" not in absence.line


def test_nobody_there_and_no_tls_are_one_line(monkeypatch):
    (absence,) = redfish.find({"INFEROMETER_REDFISH": f"redfish+http://127.0.0.1:{free_port()}"}).absences
    assert "does not answer: Connection refused" in absence.line
    with serving_bmc(mockup(WATTS)) as bmc:
        (absence,) = redfish.find(
            {"INFEROMETER_REDFISH": bmc.url.replace("redfish+http", "redfish")}
        ).absences
    assert "does not answer" in absence.line


@pytest.mark.parametrize(
    "url", ["redfish://", "redfish://h:x", "redfish://u:p@h", "redfish://h/path", f"redfish://{64 * 'h'}"]
)
def test_addresses_of_bmcs_that_mean_nothing(url):
    with pytest.raises(UsageError):
        redfish.Address.parse(url)
    (absence,) = discover(Selection.parse([url, "redfish"]), {}).absences
    assert absence.meter == "redfish"


def test_redfish_needs_an_address():
    with pytest.raises(UsageError, match="redfish needs an address: add --meter redfish://bmc"):
        discover(Selection.parse(["redfish"]), {})
