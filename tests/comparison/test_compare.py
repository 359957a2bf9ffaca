from dataclasses import replace

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from compared import QUIET, matrix, results, stored, verdicts
from inferometer.cli.compare import compare_command
from inferometer.comparison.compare import compare
from inferometer.errors import UsageError
from inferometer.records import Actual, Gpu, Loop, Machine, Record
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from simulated_runs import cell, record, rounds_of, run


def test_slower_and_tie_with_the_ratio_and_its_interval():
    found = compare(matrix(), matrix(slow=0.95, path="b"))
    assert found.counts == {"tie": 4, "worse": 2}
    change = next(c for c in found.changes if c.name == "mobilenet torch fp32 8")
    assert change.ratio == pytest.approx(0.95)
    assert change.low < 0.95 < change.high < 1
    assert change.basis == "3 and 3 rounds"
    assert [c.name for c in found.worse_by(0.03)] == ["mobilenet torch fp32 8", "mobilenet torch fp32 16"]
    assert found.worse_by(0.06) == ()


def test_less_latency_is_better():
    found = compare(matrix(), matrix(slow=0.95, path="b"), METRICS["latency"])
    assert found.counts == {"tie": 4, "worse": 2}
    assert next(c for c in found.changes if c.verdict == "worse").ratio == pytest.approx(1 / 0.95)


def test_two_gpus_of_one_name_are_compared_each_with_itself():
    def both(path, second):
        return results(
            {
                cell(device="cuda:0"): [1000 * q for q in QUIET],
                cell(device="cuda:1"): [second * q for q in QUIET],
            },
            path,
            machine=pair,
        )

    pair = Machine(cpu="CPU 9", gpus=(Gpu(0, "GPU-0", "H100"), Gpu(1, "GPU-1", "H100")))
    found = compare(both("a", 1000), both("b", 900))
    assert verdicts(found) == {
        "mobilenet onnxrt fp32 8 on cuda:0": "tie",
        "mobilenet onnxrt fp32 8 on cuda:1": "worse",
    }
    alone = results({cell(device="cuda:1"): [900 * q for q in QUIET]}, "c", machine=pair)
    reasons = {c.name: c.reason for c in compare(both("a", 1000), alone).changes}
    assert reasons["mobilenet onnxrt fp32 8 on cuda:0"] == "only in A"


def test_a_planned_cell_is_found_under_its_short_name_on_two_gpus_too():
    pair = Machine(cpu="CPU 9", gpus=(Gpu(0, "GPU-0", "H100"), Gpu(1, "GPU-1", "H100")))

    def of(devices, path):
        cells = {cell("onnxrt@1.30.0", device=d): [1000 * q for q in QUIET] for d in devices}
        return results(cells, path, machine=pair)

    ours, theirs = of(("cuda:0", "cuda:1"), "a"), of(("cuda:0",), "b")
    (stored_run,) = theirs.runs
    info = msgspec.structs.replace(stored_run.info, cells=ours.runs[0].info.cells)
    interrupted = summarise([replace(stored_run, info=info)])
    assert verdicts(compare(ours, interrupted))["mobilenet onnxrt fp32 8 on cuda:1"] == "broken"


def test_a_cell_that_broke_counts_as_worse():
    theirs = summarise([run([Record(cell(), 0, "crashed", cause="SIGSEGV")], "b")])
    found = compare(results({cell(): [1000.0] * 3}), theirs)
    assert verdicts(found) == {"mobilenet onnxrt fp32 8": "broken"}
    assert "SIGSEGV" in found.changes[0].reason and found.worse_by(0.5)
    assert compare(theirs, results({cell(): [1000.0] * 3})).changes[0].verdict == "repaired"


def test_a_planned_cell_without_a_result_is_broken_and_one_not_asked_for_is_not_judged(tmp_path):
    ours, theirs = matrix(), results({cell("tf"): [1000.0] * 3}, "b")
    (stored_run,) = theirs.runs
    planned = (*stored_run.info.cells, cell("onnxrt", 16))
    info = msgspec.structs.replace(stored_run.info, cells=planned)
    interrupted = summarise([replace(stored_run, info=info)])
    found = compare(ours, interrupted)
    assert verdicts(found)["mobilenet onnxrt fp32 16"] == "broken"
    assert [c.name for c in found.worse_by(0.5)] == ["mobilenet onnxrt fp32 16"]
    assert len(found.unjudged) == 4
    arguments = [stored(tmp_path, ours), stored(tmp_path, interrupted), "--fail-if-slower", "3%"]
    result = CliRunner().invoke(compare_command, arguments, standalone_mode=False)
    assert result.return_value == 3
    assert "4 cells of A could not be judged" in result.output


def test_energies_of_other_meters_are_not_compared():
    def at(path, meter, kind):
        records = rounds_of(cell(), [1000.0, 1001.0], power_w=50.0)
        (device,) = records[0].energy.devices
        devices = (msgspec.structs.replace(device, meter=meter, device_type=kind),)
        energy = msgspec.structs.replace(records[0].energy, devices=devices)
        return summarise([run([msgspec.structs.replace(r, energy=energy) for r in records], path)])

    ours, theirs = at("a", "rapl", "cpu"), at("b", "mqtt", "external")
    for metric in ("energy", "power", "images_per_joule"):
        (change,) = compare(ours, theirs, METRICS[metric]).changes
        assert change.reason == "other meter: rapl (cpu) / mqtt (external)"
    assert compare(ours, theirs).changes[0].verdict == "tie"
    assert compare(ours, at("c", "rapl", "cpu"), METRICS["energy"]).changes[0].verdict == "tie"


def test_two_versions_in_one_run_are_paired_by_round_despite_drift():
    drift = (1.0, 0.8, 1.1, 0.9)
    one = results(
        {
            cell("onnxrt@1.29"): [1000 * d * e for d, e in zip(drift, (1.001, 1, 0.999, 1), strict=True)],
            cell("onnxrt@1.30"): [970 * d * e for d, e in zip(drift, (1, 1.001, 1, 0.999), strict=True)],
        }
    )
    found = compare(one, one, frameworks=("onnxrt@1.29", "onnxrt@1.30"))
    (change,) = found.changes
    assert (change.verdict, change.basis) == ("worse", "4 paired rounds")
    assert change.ratio == pytest.approx(0.97, abs=2e-3)


def test_paired_rounds_that_say_otherwise_than_all_rounds_are_no_verdict():
    """It showed 758 and 900 images/s and said "worse": the slow rounds of A had no partner."""
    one = results({cell("a"): [1000.0, 1001.0, 999.0, 500.0, 501.0], cell("b"): [900.0, 901.0, 899.0]})
    (change,) = compare(one, one, frameworks=("a", "b")).changes
    assert change.verdict == "unclear" and "say otherwise" in change.reason


def test_versions_pair_across_runs():
    found = compare(
        results({cell("onnxrt@1.29"): [1000.0, 1001.0, 999.0]}),
        results({cell("onnxrt@1.30"): [990.0, 991.0, 992.0]}, "b"),
    )
    assert [c.name for c in found.changes] == ["mobilenet onnxrt fp32 8"]
    assert found.changes[0].ratio is not None


def test_the_sign_is_that_of_the_rounds():
    """One slow round of ten: pooled batches would call the row better that is slower in nine."""

    def with_tails(tails, path):
        records = [
            Record(cell(batch_size=1), n, "ok", images=100, loops=(Loop(1.0, (0.001,) * 90 + (tail,) * 10),))
            for n, tail in enumerate(tails)
        ]
        return summarise([run(records, path)])

    steady = with_tails([0.010 + 1e-5 * n for n in range(9)] + [0.100], "a")
    slower = with_tails([0.011 + 1e-5 * n for n in range(10)], "b")
    (change,) = compare(steady, slower, METRICS["p99"]).changes
    assert change.verdict not in ("better", "worse")
    (first, second), (low, high) = (change.first.p99, change.second.p99), (change.low, change.high)
    assert change.ratio == pytest.approx(second.value / first.value) and low < change.ratio < high


def test_a_jump_between_runs_is_no_change():
    def pooled(rates, name):
        return summarise([run(rounds_of(cell(), [r * q for q in QUIET]), f"{name}{r}") for r in rates])

    (change,) = compare(pooled((1000, 1010), "a"), pooled((1012, 1020), "b")).changes
    assert (change.verdict, change.basis) == ("tie", "2 and 2 runs")
    (change,) = compare(pooled((1000, 1010, 1005), "a"), pooled((905, 900, 909), "b")).changes
    assert change.verdict == "worse"


def test_a_change_that_only_the_number_of_cells_excuses_is_unclear():
    noise = np.exp(0.01 * np.random.default_rng(8).normal(size=(20, 2, 5)))
    noise[0] = [[1.0, 1.01, 0.99, 1.005, 0.995]] * 2

    def changed(slower):
        cells = [cell(f"f{n}") for n in range(20)]
        noise[0, 1] *= 1 - slower
        sides = [dict(zip(cells, 1000 * noise[:, side], strict=True)) for side in (0, 1)]
        noise[0, 1] /= 1 - slower
        return compare(results(sides[0]), results(sides[1], "b"))

    found = next(f for s in np.linspace(0, 0.05, 50) if (f := changed(s)).changes[0].verdict == "unclear")
    change = found.changes[0]
    assert change.high < 1 and change.p > 0.05
    assert change.reason.startswith("of 20 cells one may look changed") and found.worse_by(0.0) == ()


def test_a_difference_under_the_floor_is_a_tie_though_nothing_scatters():
    assert verdicts(compare(results({cell(): [1000.0] * 3}), results({cell(): [999.5] * 3}, "b"))) == {
        "mobilenet onnxrt fp32 8": "tie"
    }


def test_drift_that_all_frameworks_share_is_no_change():
    def drifting(start, path):
        steps = [1 - 0.02 * (start + i) for i in range(3)]
        noise = np.random.default_rng(start).normal(scale=1e-4, size=(4, 3))
        cells = {
            cell(f"f{i}"): [1000 * s * (1 + e) for s, e in zip(steps, noise[i], strict=True)]
            for i in range(4)
        }
        return results(cells, path)

    found = compare(drifting(0, "a"), drifting(3, "b"))
    assert found.counts == {"tie": 4}


def two_machines(path, slow=1.0):
    boxes = [Machine(name=name, gpus=(Gpu(0, f"GPU-{name}", name),)) for name in ("A2", "V100")]
    runs = [
        run(rounds_of(cell(), [level * q for q in QUIET]), f"{path}{number}", machine=box)
        for number, (box, level) in enumerate(zip(boxes, (1000.0, 2000.0 * slow), strict=True))
    ]
    return summarise(runs)


def test_several_machines_pair_by_machine():
    found = compare(two_machines("a"), two_machines("b", slow=0.9))
    assert verdicts(found) == {"A2: mobilenet onnxrt fp32 8": "tie", "V100: mobilenet onnxrt fp32 8": "worse"}
    lone = compare(two_machines("a"), matrix(path="b"))
    assert set(verdicts(lone).values()) == {"not comparable"}


def test_a_cell_held_twice_is_refused():
    twice = summarise(
        [
            run([record(cell(), actual=Actual("cuda:0", "GPU-1", "fp32", 4, version))], version)
            for version in ("1.0", "1.1")
        ]
    )
    with pytest.raises(
        UsageError, match=r"B holds .* twice, as 'mobilenet, onnxrt 1.0' and 'mobilenet, onnxrt 1.1'"
    ):
        compare(matrix(), twice)


def test_an_unknown_framework_is_refused():
    with pytest.raises(UsageError, match="unknown framework in B 'torsh'; did you mean 'torch'"):
        compare(matrix(), matrix(), frameworks=("tf", "torsh"))
