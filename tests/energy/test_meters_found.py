"""Which meters there are, and what is known of each."""

import dataclasses
import subprocess
import sys

import pytest

from inferometer.energy import open_session
from inferometer.energy.integration.aliasing import partial_period_s
from inferometer.energy.meters import known_traits
from inferometer.energy.meters.built_in.served import ServedMeter
from inferometer.energy.meters.discover import discover
from inferometer.energy.meters.selection import Selection
from inferometer.energy.meters.served_lines import Offered
from inferometer.energy.meters.simulated import PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.errors import MeterError, UsageError
from simulation import GPU_COUNTER


@pytest.mark.parametrize(
    ("traits", "period_s"),
    [
        (GPU_COUNTER, 0.0),
        (dataclasses.replace(GPU_COUNTER, integrates=False), 0.1),
        (Traits("power", 0.1), 0.1),
        (Traits("power", 0.1, window_s=1.0), 0.0),  # averages over all of the time
        (Traits("power"), 0.0),
    ],
)
def test_which_meters_see_a_part_of_the_time(traits, period_s):
    assert partial_period_s(traits) == period_s


def test_a_plug_in_that_fails_is_an_absence(monkeypatch):
    class Point:
        name, value = "broken", "somebody.meters:find"

        @staticmethod
        def load():
            raise ImportError("no such module")

    monkeypatch.setattr("inferometer.energy.meters.plugins.entry_points", lambda group: [Point])
    found = discover(Selection.parse(["broken"]), {})
    assert found.meters == ()
    assert found.absences[-1].line == "broken: failed with ImportError: no such module"


def test_terms_that_mean_nothing():
    for terms in (["colour=red"], ["!"], ["type="]):
        with pytest.raises(UsageError):
            open_session("cpu", terms)


def test_characterizations_are_kept_and_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    facts = {"uid": "sim:0", "counter": {"period_s": 0.02, "integrates": True}, "measured_at": "2026"}
    known_traits.save("sim:0", facts)
    meter = SimulatedMeter(
        PowerCurve((0, 4), (60,)), SimulatedClock(), dataclasses.replace(GPU_COUNTER, integrates=False)
    )
    assert known_traits.apply_stored([meter]) == {"sim:0": facts}
    assert (meter.traits.period_s, meter.traits.integrates) == (0.02, True)
    known_traits.path_of("sim:0").write_text("garbage")
    assert known_traits.load("sim:0") is None
    monkeypatch.setenv("INFEROMETER_METERS", "/proc/nowhere")
    with pytest.raises(MeterError, match="INFEROMETER_METERS"):
        known_traits.save("sim:0", facts)


def stored(facts, traits, uid="rapl:package-0"):
    """Return the traits of a meter after a run that finds these facts of it."""
    known_traits.save(uid, {"uid": uid, **facts})
    device = MeteredDevice(uid, "", "cpu", "rapl")
    meter = SimulatedMeter(PowerCurve.steady(60, 1), SimulatedClock(), traits, device=device)
    known_traits.apply_stored([meter])
    return meter.traits


@pytest.mark.parametrize(("spread", "integrates"), [(0.01, True), (0.096, False), (0.3, False)])
def test_an_earlier_versions_verdict_is_made_anew_from_the_spread_it_found(
    tmp_path, monkeypatch, spread, integrates
):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    unknown = dataclasses.replace(GPU_COUNTER, integrates=False)
    facts = {"counter": {"integrates": True}, "phase_spread": {"meter": spread, "polled": None}}
    assert stored(facts, unknown).integrates == integrates


@pytest.mark.parametrize(
    "counter", [7, None, [], "fast", {"period_s": "x"}, {"period_s": -1}, {"integrates": "no"}]
)
def test_a_damaged_characterization_changes_nothing(tmp_path, monkeypatch, counter):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    assert stored({"counter": counter}, GPU_COUNTER) == GPU_COUNTER


def test_what_was_measured_directly_does_not_make_a_served_value_younger(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    client = ServedMeter(Offered(None, Traits("counter", 0.001, period_known=False)), tmp_path).traits
    found = stored({"counter": {"period_s": 0.001}}, client)
    assert (found.period_s, found.late_s) == (client.period_s, client.late_s)
    assert stored({"counter": {"period_s": 0.03}}, client).period_s == 0.03


@pytest.mark.parametrize(("uid", "applies"), [("rapl:package-0", False), ("GPU-12ab", True)])
def test_what_was_measured_on_another_machine_is_for_devices_with_a_name_of_their_own(
    tmp_path, monkeypatch, uid, applies
):
    """A home on the network: a counter that moves every 8 ms was believed to move every millisecond, as another node's."""
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    facts = {"uid": uid, "counter": {"period_s": 0.001}}
    monkeypatch.setattr(known_traits, "machine", lambda: "node-a")
    known_traits.save(uid, facts)
    assert known_traits.load(uid) == facts
    monkeypatch.setattr(known_traits, "machine", lambda: "node-b")
    assert known_traits.load(uid) == (facts if applies else None)


IMPORT = """
import sys, time
begin = time.process_time()
import inferometer.energy, inferometer.ema
spent = time.process_time() - begin
heavy = {"torch", "tensorflow", "jax", "onnxruntime", "pandas", "scipy", "numpy", "paho", "pynvml", "plotly", "click", "rich"}
print(spent, sorted(heavy & set(sys.modules)))
"""


def test_importing_the_energy_part_pulls_in_no_framework():
    out = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True).stdout
    spent, loaded = out.split(" ", 1)
    assert loaded.strip() == "[]"
    print(f"import: {float(spent) * 1e3:.0f} ms of processor time")
