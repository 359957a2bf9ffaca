"""Energy and carbon per functional unit, against figures by hand."""

import json
import math
import re
from pathlib import Path

import msgspec
import pytest

from inferometer import load
from inferometer.cli import invoke
from inferometer.errors import UsageError
from inferometer.records import DeviceEnergy, Energy
from inferometer.results.carbon import CarbonFactors, Embodied, Factor
from inferometer.results.summary import summarise
from inferometer.statement import render
from inferometer.statement.statement import Terms, state
from inferometer.storage.run_directory import RunWriter
from simulated_runs import cell, record, rounds_of, run

GRID = ["--intensity", "360", "--intensity-source", "the grid", "--intensity-date", "2024"]
SITE = ["--pue", "1.25", "--pue-source", "the site", "--pue-date", "2025-06-30"]
FACTORS = CarbonFactors(Factor(360.0, "the grid", "2024"), Factor(1.25, "the site", "2025-06-30"))
MADE = Embodied(Factor(100.0, "the maker", "2025"), life_years=4.0, share=0.5)
QUIET = [1000.0, 1001.0, 999.0]


def line_of(records, **terms):
    (scope,) = state(summarise([run(records)]), Terms(**{"factors": FACTORS, **terms})).scopes
    (line,) = scope.lines
    return line


def stored(path, records):
    made = run(records)
    writer = RunWriter.create(path, made.info)
    for one in made.records:
        writer.append(one)
    return str(path)


def test_operation_is_energy_times_pue_times_intensity():
    line = line_of(rounds_of(cell(), QUIET, power_w=100.0))  # 0.1 J an image
    assert line.energy.value == pytest.approx(100.0, rel=1e-3)  # of 1,000
    assert line.operational.value == pytest.approx(100 / 3.6e6 * 1.25 * 360, rel=1e-3)
    assert line.carbon == line.operational and line.embodied is None


def test_the_meters_interval_is_carried_through():
    line = line_of(rounds_of(cell(), [1000.0] * 3, power_w=100.0))  # the meter claims 1 %
    for estimate in (line.energy, line.operational, line.carbon):
        assert estimate.low == pytest.approx(0.99 * estimate.value, rel=1e-3)
        assert estimate.high == pytest.approx(1.01 * estimate.value, rel=1e-3)


def test_an_interval_too_wide_to_be_compared_is_said(tmp_path, capsys):
    wide = [
        msgspec.structs.replace(
            one,
            energy=msgspec.structs.replace(
                one.energy,
                devices=tuple(
                    msgspec.structs.replace(d, low_j=0.2 * d.energy_j, high_j=3 * d.energy_j)
                    for d in one.energy.devices
                ),
            ),
        )
        for one in rounds_of(cell(), QUIET, power_w=100.0)
    ]
    path = stored(tmp_path / "run", wide)
    assert invoke(["statement", path, *GRID, *SITE]) == 0
    assert "- energy is known to ±200 % only, so it is compared with nothing" in capsys.readouterr().out
    assert invoke(["statement", path, *GRID, *SITE, "--format", "json"]) == 0
    (scope,) = json.loads(capsys.readouterr().out)["scopes"]
    assert "±200 %" in scope["cells"][0]["remark"]


def test_embodied_emissions_go_by_the_time_that_the_work_takes():
    factors = CarbonFactors(FACTORS.intensity, FACTORS.pue, MADE)
    line = line_of(rounds_of(cell(), QUIET, power_w=100.0), factors=factors, unit=10_000)
    by_hand = 100e3 * 0.5 / (4 * 365.25 * 86400) * 10_000 / 1000  # g a second, times 10 s
    assert line.embodied.value == pytest.approx(by_hand, rel=1e-3)
    assert line.carbon.value == pytest.approx(line.operational.value + line.embodied.value)
    assert line.carbon.low == pytest.approx(line.operational.low + line.embodied.low)
    assert line.carbon.high == pytest.approx(line.operational.high + line.embodied.high)


def with_host(the_cell, rate, **more):
    """Return a GPU's record with two packages (30 W and 20 W), their sum, memory (5 W), and another card, metered beside it."""
    whole = record(the_cell, rate=rate, power_w=100.0, **more)
    (gpu,) = whole.energy.devices

    def device(uid, type_, meter, watts):
        joules = watts * gpu.seconds
        return DeviceEnergy(
            uid, uid, type_, meter, "counter", gpu.seconds, gpu.images, joules, 0.9 * joules, 1.1 * joules
        )

    others = (
        device("rapl:p0", "cpu", "rapl", 30.0),
        device("rapl:p1", "cpu", "rapl", 20.0),
        device("dram", "dram", "rapl", 5.0),
        device("GPU-2", "gpu", "nvml", 70.0),
        device("rapl:p0+rapl:p1", "cpu", "rapl", 50.0),
    )
    return msgspec.structs.replace(whole, energy=Energy((gpu, *others), "GPU-1"))


def test_the_boundary_says_what_is_in_it():
    records = [with_host(cell(), 1000.0, round_=number) for number in range(3)]
    alone = line_of(records)
    assert alone.energy.value == pytest.approx(100.0, rel=1e-3)
    assert [(p.uid, p.included) for p in alone.parts] == [
        ("GPU-1", True),
        ("dram", False),
        ("rapl:p0+rapl:p1", False),
    ]
    host = line_of(records, boundary="metered")
    assert all(part.included for part in host.parts)
    assert host.energy.value == pytest.approx(155.0, rel=1e-3)
    assert host.energy.low == pytest.approx(99 + 4.5 + 45, rel=1e-2)  # ends add up
    assert host.energy.high == pytest.approx(101 + 5.5 + 55, rel=2e-2)


@pytest.mark.parametrize(("own", "joules"), [(True, 155.0), (False, 150.0)])
def test_another_hosts_processors_are_stated_only_where_the_host_has_none(own, joules):
    def with_network(one):
        devices = one.energy.devices if own else one.energy.devices[:1]
        remote = one.energy.devices[-1]
        remote = msgspec.structs.replace(remote, device_uid="mqtt:p", meter="mqtt")
        return msgspec.structs.replace(one, energy=Energy((*devices, remote), "GPU-1"))

    records = [with_network(with_host(cell(), 1000.0, round_=number)) for number in range(3)]
    line = line_of(records, boundary="metered")
    assert line.energy.value == pytest.approx(joules, rel=1e-3)
    assert [part.included for part in line.parts if part.meter == "mqtt"] == [not own]


def test_rounds_of_another_meter_are_in_no_part_of_it():
    def by_wall(one):
        gpu, *_ = one.energy.devices
        names = {"device_uid": "wall", "device_name": "wall meter", "device_type": "external"}
        wall = msgspec.structs.replace(gpu, **names, meter="ipmi", seconds=100.0)
        return msgspec.structs.replace(one, energy=Energy((wall,), "wall"))

    by_gpu = [with_host(cell(), 1000.0, round_=number) for number in range(2)]
    (scope,) = state(
        summarise([run(by_gpu, "A"), run([by_wall(record(cell(), power_w=300.0))], "B")]),
        Terms(FACTORS, boundary="metered"),
    ).scopes
    (line,) = scope.lines
    assert line.energy.value == pytest.approx(155.0, rel=1e-3) and line.rounds == 2
    assert [p.uid for p in line.parts if p.included] == ["GPU-1", "dram", "rapl:p0+rapl:p1"]
    later = summarise([run(rounds_of(cell(), QUIET, power_w=100.0), "A"), run([by_wall(by_gpu[0])], "B")])
    (scope,) = state(later, Terms(FACTORS, least_s=0.1)).scopes
    assert "metered in 3 of 4 rounds by nvml (gpu)" in scope.unstated[0].reason


def test_hosts_joules_jump_from_run_to_run_as_the_cards_do():
    def one(the_run, number, factor):
        made = with_host(cell(), 1000.0, round_=number)
        rounds = (
            msgspec.structs.replace(
                d,
                **{
                    name: getattr(d, name) * factor * (1 + 1e-3 * number)
                    for name in ("energy_j", "low_j", "high_j")
                },
            )
            for d in made.energy.devices
        )
        return msgspec.structs.replace(made, energy=Energy(tuple(rounds), "GPU-1"))

    runs = [
        run([one(name, number, factor) for number in range(5)], name)
        for name, factor in (("A", 0.8), ("B", 1.0), ("C", 1.2))
    ]
    (scope,) = state(summarise(runs), Terms(FACTORS, boundary="metered")).scopes
    card, *host = scope.lines[0].parts
    for part in host:  # runs are what is repeated, three of them, not fifteen rounds
        assert part.energy.half_width > 0.9 * card.energy.half_width > 0.5


def test_an_unresolved_part_of_the_boundary_leaves_no_total():
    records = [with_host(cell(), 1000.0, round_=number) for number in range(3)]
    records = [
        msgspec.structs.replace(
            one,
            energy=Energy(
                tuple(
                    msgspec.structs.replace(d, energy_j=None, low_j=None, high_j=None, source="unresolved")
                    if d.device_uid == "dram"
                    else d
                    for d in one.energy.devices
                ),
                "GPU-1",
            ),
        )
        for one in records
    ]
    (scope,) = state(summarise([run(records)]), Terms(FACTORS, boundary="metered")).scopes
    assert not scope.lines and scope.unstated[0].reason == "energy of dram (dram, rapl) not known"


def test_what_was_metered_too_shortly_is_not_stated(tmp_path, capsys):
    short = rounds_of(cell("short"), QUIET, power_w=100.0)  # 0.256 s of loops a round
    long_ = rounds_of(cell("long"), [1.0, 1.0, 1.0], power_w=100.0)  # 256 s
    path = stored(tmp_path / "run", [*short, *long_])
    assert invoke(["statement", path, *GRID, *SITE, "--min-seconds", "60", "--format", "json"]) == 0
    (scope,) = json.loads(capsys.readouterr().out)["scopes"]
    assert [one["framework"] for one in scope["cells"]] == ["long"]
    (left,) = scope["not_stated"]
    assert left["framework"] == "short" and "--energy-window 60" in left["reason"]
    path = stored(tmp_path / "other", short)
    assert invoke(["statement", path, *GRID, *SITE, "--min-seconds", "60"]) == 1
    told = capsys.readouterr().out
    assert "no figure is stated" in told and "batch size 8 (256 ms)" in told


def test_a_round_that_was_not_metered_is_none_that_was_metered_for_long():
    whole = rounds_of(cell("long"), [1.0, 1.0, 1.0], power_w=100.0)
    records = [*whole[:-1], msgspec.structs.replace(whole[-1], energy=None)]
    (scope,) = state(summarise([run(records)]), Terms(FACTORS, least_s=60.0)).scopes
    assert not scope.lines and "metered in 2 of 3 rounds" in scope.unstated[0].reason
    assert line_of(records).rounds == 2  # where no least is asked for


def test_markdown_states_formula_factors_and_boundary(tmp_path, capsys):
    path = stored(tmp_path / "run", rounds_of(cell(), QUIET, power_w=100.0))
    made = ["--embodied-kg", "150", "--embodied-source", "the maker", "--embodied-date", "2025-03"]
    assert invoke(["statement", path, *GRID, *SITE, *made, "--life-years", "4", "--hardware-share", "1"]) == 0
    text = capsys.readouterr().out
    for part in (
        "((E x I) + M) per R",
        "360 g CO2e/kWh (the grid, 2024)",
        "PUE 1.25 (the site, 2025-06-30)",
        "150 kg CO2e (the maker, 2025-03) over 4 years",
        "- included: H100 (gpu, nvml), counter",
        "the machine at rest between requests",
    ):
        assert part in text
    assert invoke(["statement", path, *GRID, *SITE]) == 0
    assert "M: not given" in capsys.readouterr().out


def test_a_run_without_a_meter_states_why(tmp_path, capsys):
    path = stored(tmp_path / "run", [record(cell(), energy=Energy(reason="no meter: none here"))])
    assert invoke(["statement", path, *GRID, *SITE]) == 1
    assert "no meter: none here: onnxrt at batch size 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--intensity and --pue"),
        ([*GRID], "--pue, --pue-source, --pue-date missing"),
        ([*GRID, *SITE[:4]], "--pue-date missing"),
        ([*GRID, *SITE[:5], "yesterday"], "'yesterday' is no date"),
        ([*GRID, *SITE[:5], "2025-13"], "'2025-13' is no date"),
        ([*GRID, "--pue", "0.9", *SITE[2:]], "the PUE is 0.9: give at least 1"),
        (["--intensity", "-1", *GRID[2:], *SITE], "the intensity is -1: give grams"),
        (["--intensity", "nan", *GRID[2:], *SITE], "the intensity is nan: give grams"),
        ([*GRID[:3], " ", *GRID[4:], *SITE], "360 needs a source"),
        ([*GRID, *SITE, "--embodied-kg", "10"], "--embodied-source, --embodied-date, --life-years"),
    ],
)
def test_factors_have_no_default_and_no_nonsense(tmp_path, capsys, options, told):
    path = stored(tmp_path / "run", [record(cell(), power_w=100.0)])
    assert invoke(["statement", path, *options]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1


def test_python_states_the_same(tmp_path):
    result = load(stored(tmp_path / "run", rounds_of(cell(), QUIET, power_w=100.0)))
    found = result.statement(FACTORS, unit=1)
    (line,) = found.scopes[0].lines
    assert line.energy.value == pytest.approx(0.1, rel=1e-3)
    assert "1 inference;" in render.to_markdown(found)
    with pytest.raises(UsageError, match=r"is 1\.5"):
        Embodied(Factor(1.0, "x", "2025"), 1.0, 1.5)


def test_hostile_names_stay_text(tmp_path):
    hostile = "<script>|`*"
    found = state(
        summarise([run(rounds_of(cell(hostile), QUIET, power_w=100.0))]),
        Terms(CarbonFactors(Factor(1.0, hostile, "2024"), FACTORS.pue)),
    )
    text = render.to_markdown(found)
    assert "<script>" not in text and math.isclose(found.scopes[0].lines[0].energy.value, 100, rel_tol=1e-3)


def test_the_documented_example_runs(monkeypatch, capsys):
    root = Path(__file__).resolve().parents[2]
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs/statement.md").read_text(), re.DOTALL)
    monkeypatch.chdir(root)
    exec(compile(code, "docs/statement.md", "exec"), {})
    assert "((E x I) + M) per R" in capsys.readouterr().out
