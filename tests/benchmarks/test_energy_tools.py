"""The harness behind docs/results/energy-tools.md, with inferometer alone on a short schedule: real files, a real writer."""

import re
from pathlib import Path

import pytest

REGIONS = ((0.1, 1, 3), (0.005, 30, 1))


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks" / "energy_tools"))
    import against_truth
    import fake_powercap
    import side_by_side

    return side_by_side, against_truth, fake_powercap


def test_inferometer_and_its_drop_in_are_held_against_what_was_drawn(modules, tmp_path):
    side_by_side, against_truth, _ = modules
    side_by_side.keep(side_by_side.run_case(side_by_side.OURS, "square", 0.001, REGIONS), tmp_path)
    (case,) = against_truth.read(tmp_path)
    assert (
        len(case.judged) + sum(case.late.values()) == 2 * 4
    )  # a busy machine may have kept the writer waiting
    assert all(one.figure_j is not None and one.error < 0.5 for one in case.judged)
    assert sum(not one.held for one in case.judged if one.low_j is not None) <= 1
    assert {one.tool for one in case.judged if one.high_j is not None} <= {"inferometer"}
    told = against_truth.tables(tmp_path)
    assert "### square, updates every 1 ms" in told and re.search(r"^inferometer \d", told, re.MULTILINE)


def test_many_short_visits_are_right_where_updates_come_every_10_ms(modules, tmp_path):
    """Figures lay up to 17 % low: updates were dated by reads at the edges of visits alone, each to some milliseconds."""
    side_by_side, against_truth, _ = modules
    regions = ((0.005, 300, 1),)
    side_by_side.keep(side_by_side.run_case(side_by_side.OURS, "constant", 0.01, regions), tmp_path)
    (case,) = against_truth.read(tmp_path)
    assert len(case.judged) + sum(case.late.values()) == 2
    assert all(one.error < 0.03 for one in case.judged)  # none on a machine so busy that updates came late
    assert all(one.held for one in case.judged if one.low_j is not None)


def test_the_counter_is_the_integral_of_the_load(modules):
    _, _, fake_powercap = modules
    square = fake_powercap.LOADS["square"]
    assert square.energy_j(0.015) == pytest.approx(3.0) and square.energy_j(0.030) == pytest.approx(3.3)
    wrapping = fake_powercap.LOADS["wrapping"]
    shown = [fake_powercap.counter_uj(wrapping, 1.0, seconds) for seconds in (0, 3, 4)]
    assert shown[1] - shown[0] == pytest.approx(300e6, abs=100) and shown[2] < shown[0]  # wraps at 1,000 J


def test_when_within_its_calls_a_tool_looks_is_its_own_affair(modules):
    _, against_truth, fake_powercap = modules
    s = 1_000_000_000
    visits = [(10 * s, 12 * s, 20 * s, 22 * s)]
    drawn = against_truth.drawn_j(fake_powercap.Load(100, 100), 0, visits)
    assert drawn == pytest.approx((800, 1200))
    errors = [
        against_truth.Judged("a", "case", "10x1", *drawn, j, None, None, 2.0).error
        for j in (720, 800, 1200, 1280)
    ]
    assert errors == pytest.approx([0.1, 0, 0, 0.1])
    held = [
        against_truth.Judged("a", "case", "10x1", *drawn, 900, *bounds, 2.0).held
        for bounds in ((700, 790), (700, 900), (1100, 1300), (1210, 1300))
    ]
    assert held == [False, True, True, False]


def test_regions_near_a_late_update_are_set_aside(modules):
    _, against_truth, _ = modules
    ms = 1_000_000
    log = [(i * ms, i * ms + 1000, i) for i in (*range(100), *range(110, 1000))]
    told = {"version": "1", "figures": {"0.1x1#1": (8.0, 7.0, 9.0)}}
    told["spans"] = {
        f"0.1x1#{i}": [(at, at, at + 100 * ms, at + 100 * ms)] for i, at in enumerate((50 * ms, 400 * ms))
    }
    case = against_truth.judge(
        "x", {"load": "idle", "update_s": 0.001, "origin_ns": 0, "tools": {"one": told}}, log
    )
    assert case.late == {"one": 1}
    assert [(one.figure_j, round(one.least_j, 6)) for one in case.judged] == [(8.0, 0.8)]
