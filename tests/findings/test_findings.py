import msgspec
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
    assert "together): a +100 (+100 to +100; R² 1.00). Not told from none: b." in text


def two_ages(meters=("nvml", "nvml"), hashes=("aaa", "aaa")):
    """Return results of an H100 and of an A100 that is four times as slow, each by its meter and of its model."""
    runs = []
    for gpu, rate, meter, content in zip(
        ("NVIDIA H100", "NVIDIA A100"), (4000.0, 1000.0), meters, hashes, strict=True
    ):
        records = [one for name in "abc" for one in rounds_of(cell(name), quiet(rate), power_w=100.0)]
        for place, one in enumerate(records):
            devices = (msgspec.structs.replace(one.energy.devices[0], meter=meter),)
            records[place] = msgspec.structs.replace(
                one, energy=msgspec.structs.replace(one.energy, devices=devices)
            )
        machine = Machine(hostname=gpu, gpus=(Gpu(0, f"GPU-{gpu}", gpu),))
        runs.append(run(records, path=gpu, machine=machine, model_hash=content))
    return summarise(runs)


def test_machines_are_compared_by_one_meter_and_at_one_model():
    (text,) = texts(two_ages(), "machines")
    assert "4.00 x the throughput" in text and "0.250 x the energy an image" in text
    (text,) = texts(two_ages(("nvml", "ipmi")), "machines")
    assert "4.00 x the throughput" in text and "energy" not in text
    assert texts(two_ages(hashes=("aaa", "bbb")), "machines") == []
    assert texts(two_ages(hashes=("aaa", "")), "machines") != []


def three(name, watts, rates=(100.0, 200.0, 300.0)):
    return [(cell(name, b), quiet(r), w) for b, r, w in zip((8, 16, 32), rates, watts, strict=True)]


def test_a_slope_has_an_interval_by_hand():
    """Residuals of 10, 20, 33 W at 100, 200, 300 images/s: 0.5, -1, 0.5; error sqrt(1.5 / 20000) = 8.66 mW: t is 13, p is 0.05."""
    results = summarise(of(three("a", (10.0, 20.0, 33.0)) + three("b", (10.0, 20.0, 30.0))))
    (text,) = texts(results, "slope")
    assert "b +100 (+100 to +100; R² 1.00)" in text and text.endswith("Not told from none: a.")


def test_constant_power_has_no_line_and_three_points_that_scatter_no_slope():
    """It was R2 = 1.00, of a line with nothing to explain."""
    results = summarise(of(three("a", (50.0,) * 3) + three("b", (10.0, 20.0, 40.0))))
    assert {row for _, row in regressions(results.summaries)} == {"b"}
    assert texts(results, "slope") == []


def test_which_slope_is_less_is_said_where_the_data_tell():
    results = summarise(of(three("a", (10.0, 20.0, 30.0)) + three("b", (10.0, 30.0, 50.0))))
    (text,) = texts(results, "slope")
    assert text.endswith("; more speed costs least power with a.")
    rates = (100.0, 200.0, 300.001)  # both lines have the same truth
    results = summarise(of(three("a", (10.0, 20.0, 30.0)) + three("b", (10.0, 20.0, 30.0001), rates)))
    assert texts(results, "slope")[0].endswith("; which of them is less the data do not tell.")


def test_no_batch_size_has_two_answers():
    """It was "onnxrt is fastest at 128" beside "no single winner at 128"."""
    cells = [(cell("a", 32), [1000.0, 1010.0, 990.0], 100.0), (cell("b", 32), [1004.0, 992.0, 1003.0], 100.0)]
    cells += [(cell("c", 32), quiet(900.0), 40.0), (cell("a", 8), quiet(500.0), 90.0)]
    results = summarise(of(cells))
    assert texts(results, "winner") == ["On H100 no single winner at batch size 32 (a and b)."]
    assert texts(results, "contradiction") == []  # c needs less energy, but none is the fastest


def test_one_process_each_is_not_judged():
    """The tables say so of their intervals; the findings of the same run named a winner at each batch size."""
    cells = [
        (cell(f, b), [r * b], w) for f, r, w in (("a", 100.0, 50.0), ("b", 60.0, 20.0)) for b in (8, 16, 32)
    ]
    results = summarise(
        [run([r for c, rates, w in cells for r in rounds_of(c, rates, power_w=w, noise=0.001)])]
    )
    found = findings(results)
    assert [f.tests for f in found] == [()] * len(found)
    (winner,) = texts(results, "winner")
    assert winner == (
        "On H100 not judged, since no cell has a second process: the highest figure of a (8), a (16) and a (32)."
    )
    assert "not judged against" in texts(results, "efficient")[0]
    assert texts(results, "contradiction") == texts(results, "slope") == []
    assert "is reached at" not in texts(results, "batch-size")[0]


def test_two_batch_sizes_of_one_process_that_are_equal_do_not_make_it_two():
    """Cells below the floor are a tie even of one process, which says nothing of the third."""
    cells = [(cell("a", 8), [1000.0], None), (cell("a", 16), [1000.0], None), (cell("a", 32), [500.0], None)]
    (text,) = texts(summarise(of(cells)), "batch-size")
    assert text.startswith("On H100 not judged, since no cell has a second process")


def test_nothing_is_said_of_a_batch_size_that_a_run_has_yet_to_measure():
    records = [
        r for f, rate in (("a", 1000.0), ("b", 700.0)) for r in rounds_of(cell(f), quiet(rate), power_w=50.0)
    ]
    late = [*records, *rounds_of(cell("a", 64), quiet(2000.0), power_w=50.0)]
    late += rounds_of(cell("c", 64), quiet(2500.0), power_w=50.0)
    whole = run([*late, *rounds_of(cell("b", 64), quiet(3000.0), power_w=50.0)])
    part = type(whole)(whole.path, whole.info, whole.records[: len(late)])
    (text,) = texts(summarise([part]), "winner")
    assert text == "On H100 (so far) a is fastest at batch size 8, 42.9 % ahead of b."
    assert texts(summarise([part]), "efficient") == []


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
        "H100 (2022) against NVIDIA A2 (2021): 2.00 x the throughput (2.00 to 2.00; better in 1 of 1 common cells)"
    )
    assert "4.00 x the power (4.00 to 4.00; better in 0 of 1" in text


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
