import pytest

from inferometer.findings import findings, regressions
from inferometer.records import Gpu, Machine, Record
from inferometer.results.summary import summarise
from simulated_runs import cell, record, rounds_of, run


def texts(results, kind):
    return [f.text for f in findings(results) if f.kind == kind]


def of(cells, **more):
    return [run([r for c, rates, power in cells for r in rounds_of(c, rates, power_w=power)], **more)]


def quiet(rate):
    return [rate, rate * 1.001, rate * 0.999]


def test_winner_with_margin_and_tie():
    results = summarise(
        of(
            [
                (cell("a", 8), quiet(1200.0), None),
                (cell("b", 8), quiet(1000.0), None),
                (cell("a", 16), [1000.0, 1010.0, 990.0], None),
                (cell("b", 16), [1008.0, 991.0, 1003.0], None),
            ]
        )
    )
    (text,) = texts(results, "winner")
    assert "a is fastest at batch size 8, 20.0 % ahead of b" in text
    assert "no single winner at batch size 16 (b and a)" in text


def test_contradiction_between_speed_and_energy():
    results = summarise(of([(cell("a"), quiet(1000.0), 100.0), (cell("b"), quiet(900.0), 45.0)]))
    (text,) = texts(results, "contradiction")
    assert (
        "a is fastest, b needs 50.0 % less energy an image (50.0 mJ against 100 mJ) at 10.0 % less throughput"
        in text
    )


def test_no_contradiction_inside_the_noise():
    results = summarise(
        of([(cell("a"), [1000.0, 1010.0, 990.0], 100.0), (cell("b"), [995.0, 1011.0, 992.0], 45.0)])
    )
    assert texts(results, "contradiction") == []


def test_slope_and_r2_by_hand():
    cells = [
        (cell("a", b), quiet(r), w) for b, r, w in ((8, 100.0, 10.0), (16, 200.0, 20.0), (32, 300.0, 30.0))
    ]
    cells += [
        (cell("b", b), quiet(r), w) for b, r, w in ((8, 100.0, 50.0), (16, 200.0, 49.0), (32, 300.0, 51.0))
    ]
    results = summarise(of(cells))
    line = regressions(results.summaries)[("H100", "mobilenet", "host"), "a"]
    assert line.slope == pytest.approx(0.1) and line.r2 == pytest.approx(1.0)
    (text,) = texts(results, "slope")
    assert "in mW per image/s: a +100 (R2 1.00); less" in text
    assert text.endswith("Not ranked, since throughput says little about power there: b +5 (R2 0.25).")


def test_where_the_batch_size_stops_paying():
    results = summarise(
        of([(cell("a", b), quiet(r), None) for b, r in ((8, 500.0), (16, 1000.0), (32, 990.0), (64, 800.0))])
    )
    (text,) = texts(results, "batch-size")
    assert "at batch size 16 (a)" in text and "a (-20 % from 16 to 64)" in text


def test_newer_against_older_machine():
    a2 = Machine(gpus=(Gpu(0, "x", "NVIDIA A2"),))
    results = summarise(
        [
            *of([(cell("a"), quiet(1000.0), 200.0)], path="new"),
            *of([(cell("a"), quiet(500.0), 50.0)], path="old", machine=a2),
        ]
    )
    (text,) = texts(results, "machines")
    assert text.startswith(
        "H100 (2022) against NVIDIA A2 (2021): 2.00 x the throughput (better in 1 of 1 common cells)"
    )
    assert "4.00 x the power (better in 0 of 1" in text


def test_a_cpu_is_not_dated_by_a_gpu_in_its_host():
    hosts = [Machine(cpu=f"CPU {n}", gpus=(Gpu(0, "x", gpu),)) for n, gpu in enumerate(("NVIDIA A2", "H100"))]

    def told(device):
        cells = [
            of([(cell("a", device=device), quiet(1e3 + n), None)], machine=m) for n, m in enumerate(hosts)
        ]
        return texts(summarise([r for runs in cells for r in runs]), "machines")

    assert told("cpu") == []
    assert len(told("cuda:0")) == 1


def test_failures_are_counted_and_nothing_is_said_of_nothing():
    results = summarise([run([Record(cell("a"), 0, "crashed"), record(cell("b"))])])
    assert texts(results, "failures") == ["On H100 1 of 2 cells have no figure: 1 crashed."]
    assert findings(summarise([])) == ()
