import io
import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from inferometer.cli.common import share
from inferometer.cli.compare import compare_command
from inferometer.comparison import render, wording
from inferometer.comparison.compare import compare
from inferometer.errors import UsageError
from inferometer.flags import flag, words
from inferometer.records import Actual, Gpu, Loop, Machine, Record
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter
from simulated_runs import GPU_MACHINE, cell, record, rounds_of, run

QUIET = (0.999, 1.0, 1.001)


def results(cells, path="a", **more):
    """Return results of one run; ``cells``: {cell: rates by round}."""
    records = [r for the_cell, rates in cells.items() for r in rounds_of(the_cell, rates)]
    return summarise([run(records, path, **more)])


def matrix(slow=1.0, path="a", **more):
    rates = {}
    for number, framework in enumerate(("tf", "onnxrt", "torch")):
        for size in (8, 16):
            level = 1000 * (number + 1) * (slow if framework == "torch" else 1.0)
            rates[cell(framework, size)] = [level * q for q in QUIET]
    return results(rates, path, **more)


def verdicts(found):
    return {change.name: change.verdict for change in found.changes}


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


def test_other_hardware_model_and_threads_are_said():
    other_gpu = Machine(hostname="box", cpu="CPU 9", physical_cores=8, gpus=(Gpu(0, "GPU-1", "A2"),))
    found = compare(matrix(), matrix(path="b", machine=other_gpu))
    assert {c.reason for c in found.changes} == {"other GPU: H100 / A2"}
    other_cpu = Machine(cpu="CPU 7", physical_cores=8, gpus=GPU_MACHINE.gpus)
    assert {c.reason for c in compare(matrix(), matrix(path="b", machine=other_cpu)).changes} == {
        "other CPU: CPU 9, 8 cores / CPU 7, 8 cores"
    }
    assert {c.reason for c in compare(matrix(), matrix(path="b", model_hash="xyz")).changes} == {
        "other model, input shapes or inputs (or hashed before 2026-11-26): abc / xyz"
    }


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


def test_other_precision_and_lone_cells_are_said():
    ours = results({cell("tf"): [1000.0] * 3, cell("jax"): [1000.0] * 3})
    theirs = results({cell("tf", precision="fp16"): [1000.0] * 3}, "b")
    reasons = {c.name: c.reason for c in compare(ours, theirs).changes}
    assert reasons == {
        "mobilenet tf fp32 8": "only in A; other precision: fp32 / fp16",
        "mobilenet tf fp16 8": "only in B; other precision: fp32 / fp16",
        "mobilenet jax fp32 8": "only in A",
    }


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


def test_a_single_round_is_judged_by_the_noise_of_the_other_side():
    ours = results({cell(): [1000.0, 800.0, 1200.0], cell("tf"): [500.0, 501.0, 499.0]})
    theirs = results({cell(): [900.0], cell("tf"): [450.0]}, "b")
    found = compare(ours, theirs)
    assert verdicts(found) == {"mobilenet onnxrt fp32 8": "tie", "mobilenet tf fp32 8": "worse"}
    change = found.changes[0]
    assert change.low < 0.7 and change.high > 1.2 and change.basis == "3 and 1 rounds, A's noise for both"
    assert compare(theirs, ours).changes[0].basis == "1 and 3 rounds, B's noise for both"


def test_a_single_round_on_both_sides_is_judged_by_the_noise_of_other_cells():
    noisy = {cell(f"f{n}"): [1000.0, 800.0 + n, 1200.0] for n in range(4)}
    found = compare(results({**noisy, cell(): [1000.0]}), results({**noisy, cell(): [900.0]}, "b"))
    change = next(c for c in found.changes if c.name == "mobilenet onnxrt fp32 8")
    assert (change.verdict, change.basis) == ("tie", "1 and 1 rounds, the noise of other cells for both")
    assert change.low < 0.9 < change.high


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


def test_other_protocols_are_said():
    def at(path, **facts):
        stored_run = run(rounds_of(cell(), [1000.0] * 3), path)
        protocol = msgspec.structs.replace(stored_run.info.protocol, **facts)
        return summarise(
            [replace(stored_run, info=msgspec.structs.replace(stored_run.info, protocol=protocol))]
        )

    found = compare(at("a", images=8, budget_s=1.0), at("b", images=512))
    assert wording.differences(found) == ["images a loop: 8 -> 512", "budget [s]: 1 -> none"]
    assert wording.differences(compare(at("a"), at("b"))) == []


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


def single(rate, path, **more):
    return summarise([run([record(cell(), rate=rate, noise=0.001, **more)], path)])


def test_what_one_process_measured_is_not_judged_whatever_its_loops_say():
    for metric in ("throughput", "p99", "prepare_time", "memory"):
        (change,) = compare(single(1000.0, "a"), single(500.0, "b"), METRICS[metric]).changes
        assert (change.verdict, change.reason, change.p) == ("not judged", "one round", None)
    energies = (single(1000.0, name, power_w=watts) for name, watts in (("a", 50.0), ("b", 99.0)))
    assert compare(*energies, METRICS["energy"]).changes[0].verdict == "not judged"


def test_a_noise_that_the_user_knows_judges_one_process():
    def verdict(noise):
        return compare(single(1000.0, "a"), single(900.0, "b"), noise=noise).changes[0]

    assert (verdict(0.01).verdict, verdict(0.10).verdict) == ("worse", "tie")
    assert verdict(0.01).basis == "1 and 1 rounds, noise of 1 % as given"
    assert verdict(0.01).high == pytest.approx(verdict(0.01).ratio * np.exp(1.96 * 0.01 * 2**0.5), rel=1e-3)


def test_published_means_are_not_judged():
    def published(rate, path):
        return summarise([run([Record(cell(), 0, "ok", published={"throughput": rate})], path)])

    (change,) = compare(published(1000.0, "a"), published(900.0, "b")).changes
    assert (change.verdict, change.reason) == ("not judged", "published")


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


def test_machines_that_only_go_by_the_same_name_are_said():
    def on(uuid, revision, path):
        gpus = (Gpu(0, uuid, "H100"),)
        return matrix(
            path=path, machine=msgspec.structs.replace(GPU_MACHINE, gpus=gpus, cpu_revision=revision)
        )

    found = compare(on("GPU-1", "stepping 7", "a"), on("GPU-2", "stepping 8", "b"))
    assert wording.differences(found) == [
        "another CPU of the same name: stepping 7 -> stepping 8",
        "another GPU of the same name: GPU-1 -> GPU-2",
    ]
    assert wording.differences(compare(on("GPU-1", "", "a"), on("GPU-1", "stepping 8", "b"))) == []


def test_what_crowded_a_run_is_said():
    def flagged(path, *flags):
        return summarise(
            [run([msgspec.structs.replace(r, flags=flags) for r in rounds_of(cell(), [1e3] * 3)], path)]
        )

    def busy(share):
        return flag("others-computed", share=share, processors=8)

    partial = flag("partial-batch", last=1, full=8)
    found = compare(flagged("a", partial), flagged("b", partial, busy(0.4)))
    assert wording.differences(found) == [f"B: {words(busy(0.4))}: onnxrt fp32 8"]
    both = compare(flagged("a", busy(0.5)), flagged("b", busy(0.4)))
    assert len(wording.differences(both)) == 2  # the same on both sides, and of neither can be trusted


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


def test_shares_are_read_and_refused():
    assert [share(text, "--x") for text in ("3%", "0.03", "3 %")] == pytest.approx([0.03] * 3)
    for text in ("", "x%", "-1%", "300%", "100%"):
        with pytest.raises(UsageError, match=r"--x .* is no share"):
            share(text, "--x")
    assert share("100%", "--x", whole=True) == 1.0


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


def test_what_was_not_compared_is_told_by_reason():
    found = compare(matrix(), results({cell("tf"): [1000.0, 1001.0, 999.0]}, "b"))
    assert wording.incomparable(found) == [
        "not comparable, only in A: tf fp32 16, onnxrt fp32 8, onnxrt fp32 16, torch fp32 8, torch fp32 16"
    ]
    text = render.to_markdown(found)
    assert text.count("| tf fp32 8 |") == 1 and "- not comparable, only in A" in text


def test_model_and_unit_are_told_once():
    text = render.to_markdown(compare(matrix(), matrix(path="b")))
    assert text.startswith("**mobilenet, 6 cells: 6 tie**")
    assert text.count("mobilenet") == 1
    assert "| cell | A (images/s) | B (images/s) |" in text and text.count("images/s") == 2


def test_a_basis_that_all_verdicts_share_is_told_once():
    console = Console(width=80, record=True, file=io.StringIO(), _environ={})
    for part in render.to_text(compare(matrix(), matrix(path="b"))):
        console.print(part)
    text = console.export_text()
    assert text.count("3 and 3 rounds") == 1 and "basis of each verdict: 3 and 3 rounds" in text
    assert "Basis" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_several_models_stay_in_the_names():
    both = results({cell(model=name): [500.0, 501.0, 499.0] for name in ("v2", "v3")})
    text = render.to_markdown(compare(both, both))
    assert "| v2 onnxrt fp32 8 |" in text and text.startswith("**2 cells:")


def test_causes_are_told_below_the_table_once_and_short():
    before = results({cell(batch_size=size): [500.0, 501.0, 499.0] for size in (8, 16)})
    cause = "InternalError: no kernel for {} images " + "of a very long description " * 20
    failed = [Record(cell(batch_size=size), 0, "failed", cause=cause.format(size)) for size in (8, 16)]
    after = summarise([run(failed, "b")])
    found = compare(before, after)
    text = render.to_markdown(found)
    assert text.count("see below") == 2
    (line,) = wording.mishaps(found)
    assert line.startswith("B failed: InternalError: no kernel for 8 to 16 images of a")
    assert line.endswith("…: onnxrt fp32 8, onnxrt fp32 16") and len(line) < 180


def stored(tmp_path, found):
    for stored_run in found.runs:
        writer = RunWriter.create(tmp_path / str(stored_run.path), stored_run.info)
        for item in stored_run.records:
            writer.append(item)
        return str(tmp_path / str(stored_run.path))


def test_command_exits_with_3_when_slower_and_1_when_nothing_compares(tmp_path):
    a, b = stored(tmp_path, matrix()), stored(tmp_path, matrix(slow=0.9, path="b"))
    other = stored(tmp_path, matrix(path="c", model_hash="zzz"))

    def call(*arguments):
        return CliRunner().invoke(compare_command, list(arguments), standalone_mode=False)

    assert call(a, b).return_value == 0
    result = call(a, b, "--fail-if-slower", "3%")
    assert result.return_value == 3 and "torch fp32 8: slower, throughput -10.0 %" in result.output
    assert call(b, a, "--fail-if-slower", "3%").return_value == 0
    assert call(a, other, "--fail-if-slower", "3%").return_value == 1
    rows = json.loads(call(a, b, "--format", "json").output)
    assert [r["verdict"] for r in rows].count("worse") == 2
    assert "**▼ slower**" in call(a, b, "--format", "md").output


def test_command_does_not_judge_one_round_and_takes_what_the_user_knows(tmp_path):
    """../shared/cases/one_round_a.csv and _b: loops that differ by half, and 5 % between the two."""

    def imported(scale, path):
        loops = tuple(Loop(0.4 * scale * (1.5 if n % 2 else 1.0), images=64) for n in range(10))
        return stored(tmp_path, summarise([run([Record(cell(), 0, "ok", loops=loops)], path)]))

    pair = (imported(1.0, "a"), imported(1.05, "b"))

    def call(*arguments):
        return CliRunner().invoke(compare_command, [*pair, *arguments], standalone_mode=False)

    result = call("--fail-if-slower", "3%")
    assert result.return_value == 0 and "not judged: one round" in result.output
    assert call("--fail-if-slower", "3%", "--noise", "1%").return_value == 3
    assert call("--fail-if-slower", "3%", "--noise", "5%").return_value == 0
    assert isinstance(call("--noise", "0").exception, UsageError)
    assert call("--metric", "latency", "--fail-if-slower", "150%").return_value == 0
    with pytest.raises(UsageError, match="150%"):
        raise call("--fail-if-slower", "150%").exception


def test_where_noise_chose_the_number_of_rounds_verdicts_are_stricter():
    """A p-value between the two levels is a verdict of a fixed number of rounds, and a tie of two stages."""
    jitter = np.exp(0.01 * np.random.default_rng(3).standard_normal((2, 6)))

    def changed(slower, most_rounds):
        rates = jitter * [[1000.0], [1000.0 * (1 - slower)]]
        records = [*rounds_of(cell("a"), rates[0]), *rounds_of(cell("b"), rates[1])]
        stored = run(records)
        protocol = msgspec.structs.replace(stored.info.protocol, most_rounds=most_rounds)
        info = msgspec.structs.replace(stored.info, protocol=protocol)
        results = summarise([replace(stored, info=info)])
        (change,) = compare(results, results, frameworks=("a", "b")).changes
        return change

    slower = next(s for s in np.linspace(0, 0.05, 500) if 0.041 < changed(s, 0).p < 0.049)
    assert changed(slower, 0).verdict == "worse"
    assert changed(slower, 20).verdict == "unclear"
    assert changed(slower, 20).reason == "judged at 4 %, since noise chose the number of rounds"
