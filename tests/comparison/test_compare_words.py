"""What a comparison says besides its verdicts."""

import io
from dataclasses import replace

import msgspec
from rich.console import Console

from compared import matrix, results
from inferometer.comparison import render, wording
from inferometer.comparison.compare import compare
from inferometer.flags import flag, words
from inferometer.records import Gpu, Machine, Record
from inferometer.results.summary import summarise
from simulated_runs import GPU_MACHINE, cell, rounds_of, run


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


def test_other_precision_and_lone_cells_are_said():
    ours = results({cell("tf"): [1000.0] * 3, cell("jax"): [1000.0] * 3})
    theirs = results({cell("tf", precision="fp16"): [1000.0] * 3}, "b")
    reasons = {c.name: c.reason for c in compare(ours, theirs).changes}
    assert reasons == {
        "mobilenet tf fp32 8": "only in A; other precision: fp32 / fp16",
        "mobilenet tf fp16 8": "only in B; other precision: fp32 / fp16",
        "mobilenet jax fp32 8": "only in A",
    }


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
