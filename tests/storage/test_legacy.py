"""Runs of version 0.1, whose flags were sentences."""

import json
from pathlib import Path

import pytest

from inferometer.errors import StoreError
from inferometer.flags import Flag, flag, words
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter, read_run
from simulated_runs import cell, record, run

EXAMPLES = Path(__file__).parents[2] / "examples"
SENTENCES = {
    "last batch of each loop holds 3 of 4 images": flag("partial-batch", last=3, full=4),
    "warm-up cut at 13 of 50 batches by the budget of 6 s": flag("warmup-cut", done=13, asked=50, budget_s=6),
    "3 of 10 loops within the budget of 6 s": flag("few-loops", done=3, asked=10, limit="budget", limit_s=6),
    "8 of 10 loops within the energy window of 5.55052 s": flag(
        "few-loops", done=8, asked=10, limit="energy window", limit_s=5.55052
    ),
    "phases not sampled: ValueError: no": flag("phases-not-sampled", error="ValueError: no"),
    "host-pipelined: input travels as uint8 and is cast on the device; latency is from submit to delivery": flag(
        "pipelined-input"
    ),
    "2 malformed loops left out": flag("malformed-loops", count=2),
    "measured at once with cuda:0: onnxrt for 11.5 s, torch for 1.85 s; during 100% of its loops": flag(
        "beside", device="cuda:0", ran="onnxrt for 11.5 s, torch for 1.85 s", loops_share=1.0
    ),
    "measured at once with cpu: tf for 310 ms": flag("beside", device="cpu", ran="tf for 310 ms"),
    "other processes had 6 % of the 32 processors' time during the loops": flag(
        "others-computed", share=0.06, processors=32
    ),
    "crowded: other processes had 25 % of the 2 processors' time during the loops": flag(
        "crowded", share=0.25, processors=2
    ),
    "the hypervisor took 7 % of the 16 processors' time during the loops": flag(
        "hypervisor", share=0.07, processors=16
    ),
    "a quota held the loops back for 6 % of the 2 processors' time": flag("quota", share=0.06, processors=2),
    "another process (pid 17245) holds 2.5 GiB on this GPU": flag(
        "gpu-neighbour", pid="17245", held_bytes=2.5 * 2**30
    ),
    "another process (pid 17245) holds memory on this GPU": flag("gpu-neighbour", pid="17245"),
    "another process (pid 17245) computed on this GPU": flag("gpu-neighbour-computed", pid="17245"),
    "2 processes came to this GPU with the worker, one is expected": flag("gpu-newcomers", count=2),
    "this GPU was 51 % busy before the run": flag("gpu-busy-before", share=0.51),
    "4.5 GiB were in use on this GPU before the run": flag("gpu-memory-before", used_bytes=4.5 * 2**30),
    "others' memory on this GPU went from 0.5 GiB to 20.0 GiB since the run began": flag(
        "gpu-memory-changed", before_bytes=2**29, after_bytes=20 * 2**30
    ),
    "placement not shown: memory in use on this GPU fell from 20.0 GiB to 0.5 GiB meanwhile": flag(
        "placement-not-shown", before_bytes=20 * 2**30, after_bytes=2**29
    ),
    "placement not checked: the driver did not answer (GPU is lost)": flag(
        "placement-not-checked", error="GPU is lost"
    ),
    "power limit changed from 350000 to None inside the cell": flag(
        "setting-changed", setting="power limit", before="350000", after="None"
    ),
    "throttled: power cap for 1.5 s": flag("throttled", reason="power cap", seconds=1.5),
    "throttled: power cap": flag("throttled", reason="power cap"),
    "throttled: GPU-08eef0c5-8a7b: power cap": flag(
        "throttled", reason="power cap", device="GPU-08eef0c5-8a7b"
    ),
    "SM clock between 1410 and 1980 MHz during the loops": flag(
        "clock-unsteady", clock="SM", low_hz=1.41e9, high_hz=1.98e9
    ),
    "between 46 and 58 °C during the loops": flag("warmed", low_c=46, high_c=58),
    "3 of 240 nodes run on the CPU: 2 Foo, 1 Bar": flag(
        "nodes-elsewhere", strays=3, total=240, counts="2 Foo, 1 Bar", kinds="Foo, Bar"
    ),
    "2 weights lie on cpu, not on cuda": flag("weights-elsewhere", count=2, device="cpu", wanted="cuda"),
    "2 variables lie on the CPU": flag("weights-elsewhere", count=2, device="CPU"),
    "2 of 64 convolutions and products give float32, not bfloat16": flag(
        "other-precision", count=2, total=64, precision="float32", most="bfloat16"
    ),
    "batches were not sent from page-locked memory: CUDA error 2": flag(
        "not-page-locked", error="CUDA error 2"
    ),
    "4 operations ran in TensorFlow, not in TensorRT": flag("left-to-tensorflow", count=4),
    "energy: loops in 6 trials, shifted in phase, since they would keep step with a meter's updates (every 100 ms)": flag(
        "phase-shifted", trials=6, period_s=0.1
    ),
    "energy: GPU-f954eaf9: loops of 1,087.5 ms keep step with its updates (100 ms)": flag(
        "aliasing", device="GPU-f954eaf9", pieces="loops", piece_s=1.0875, period_s=0.1
    ),
    "seen by nobody": Flag("text", "cell", {"text": "seen by nobody"}),
    "energy: of another kind": Flag("text", "energy", {"text": "energy: of another kind"}),
}


def stored(folder, *flags, **more):
    """Write a run of one record, and put ``flags`` and ``more`` into its line as they are; return its path."""
    source = run([record(cell())])
    writer = RunWriter.create(folder / "run", source.info)
    writer.append(source.records[0])
    lines = writer.path / "cells.jsonl"
    lines.write_text(json.dumps({**json.loads(lines.read_text()), "flags": flags, **more}) + "\n")
    return writer.path


def test_sentences_are_read_as_flags(tmp_path):
    (found,) = read_run(stored(tmp_path, *SENTENCES)).records
    for read, (sentence, expected) in zip(found.flags, SENTENCES.items(), strict=True):
        assert (read.kind, read.scope, read.values.keys()) == (
            expected.kind, expected.scope, expected.values.keys(),
        ), sentence  # fmt: skip
        assert {
            k: v if isinstance(v, str) else pytest.approx(v) for k, v in expected.values.items()
        } == read.values


def test_a_sentence_that_is_not_known_is_shown_as_it_is(tmp_path):
    (summary,) = summarise([read_run(stored(tmp_path, "seen by nobody"))]).summaries
    assert [words(found) for found in summary.flags] == ["seen by nobody"]


def test_sentences_and_flags_may_stand_in_one_line(tmp_path):
    data = {"kind": "warmup-cut", "scope": "cell", "values": {"done": 3, "asked": 50, "budget_s": 6.0}}
    (found,) = read_run(stored(tmp_path, data, "this GPU was 51 % busy before the run")).records
    assert [f.kind for f in found.flags] == ["warmup-cut", "gpu-busy-before"]


def test_damage_is_damage_in_a_line_of_sentences_too(tmp_path):
    with pytest.raises(StoreError, match=r"cells\.jsonl:1: damaged record.*flags"):
        read_run(stored(tmp_path, "this GPU was 51 % busy before the run", 7))
    (tmp_path / "b").mkdir()
    with pytest.raises(StoreError, match=r"damaged record.*status"):
        read_run(stored(tmp_path / "b", "a sentence", status="splendid"))


@pytest.mark.parametrize(
    ("reason", "absence"),
    [
        ("no meter: rapl: none", "no meter"),
        ("no loop was timed on this host's clock", "not timed"),
        ("no EMA region of this cell", "no region"),
        ("of another kind", ""),
    ],
)
def test_why_there_is_no_energy_is_told_in_two_words_of_old_runs_too(tmp_path, reason, absence):
    (found,) = read_run(stored(tmp_path, energy={"reason": reason})).records
    assert (found.energy.reason, found.energy.absence) == (reason, absence)


def test_the_examples_hold_no_sentence_that_is_not_known():
    runs = [read_run(path.parent) for path in sorted(EXAMPLES.rglob("cells.jsonl"))]
    kinds = {found.kind for stored_run in runs for r in stored_run.records for found in r.flags}
    assert len(kinds) > 8 and "text" not in kinds
