"""Workers that fail: a record with its cause, and the run goes on."""

import functools
import re

import msgspec
import pytest

from fakes import BACKENDS, fake_framework, fake_request, fake_runner, flags_of, run_fakes
from inferometer.flags import flag
from inferometer.running.processes.child import Child
from inferometer.storage.run_directory import read_run


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


def statuses(run):
    return {r.cell.batch_size: r.status for r in run.records}


@pytest.mark.parametrize(
    ("behaviour", "status", "cause"),
    [
        ("segfault", "crashed", "SIGSEGV"),
        ("abort", "crashed", "SIGABRT"),
        ("exit", "crashed", "exit status 3"),
        ("kill", "killed", "SIGKILL"),
        ("memory", "out-of-memory", "12345 bytes"),
        ("raise", "failed", "ValueError: the model is odd"),
        ("unsupported", "unsupported", "no such operator"),
        ("garbage", "broken-protocol", "no JSON"),
        ("object", "broken-protocol", "malformed"),
        ("nan", "parity-failed", "NaN"),
        ("shape", "parity-failed", "shape"),
        ("wrong", "parity-failed", "error"),
        (
            "array",
            "failed",
            "the backend gave one array for a batch, not a list with a numpy array a model output",
        ),
        ("dictionary", "failed", "the backend gave a dict for a batch"),
        ("nothing", "failed", "the backend gave nothing for a batch"),
    ],
)
def test_a_bad_cell_is_a_record_with_its_cause(tmp_path, behaviour, status, cause):
    run = run_fakes(tmp_path, fake_framework(behaviour=behaviour, at=2))
    record = run.records[0]
    assert record.status == status
    assert cause in record.cause
    assert "\n" not in record.cause
    assert record.loops == ()


def test_what_actual_tells_below_no_known_key_is_named(tmp_path):
    record = run_fakes(tmp_path, fake_framework(tells={"provider": "x"})).records[0]
    assert record.status == "failed"
    assert "actual() tells provider, which no record has: put it below 'details'" in record.cause


def test_another_number_of_threads_is_told_beside_the_row(tmp_path):
    record = run_fakes(tmp_path, fake_framework(threads=3)).records[0]
    assert record.status == "ok"
    assert flags_of(record) == (flag("other-threads", threads=3, asked=1),)


def test_a_backend_without_its_class_is_told_which(tmp_path, monkeypatch):
    (tmp_path / "fake.py").write_text("class Backend: ...\n")
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(tmp_path))
    record = run_fakes(tmp_path, fake_framework()).records[0]
    assert record.status == "failed"
    assert (
        "fake.py has no class Runtime that is a subclass of inferometer.worker.backend.Backend"
        in record.cause
    )


def test_what_fails_after_the_loops_does_not_lose_them(tmp_path):
    record = run_fakes(tmp_path, fake_framework(behaviour="phases")).records[0]
    assert record.status == "ok" and len(record.loops) == 3
    assert flags_of(record) == (flag("phases-not-sampled", error="MemoryError: no room to sample"),)


@pytest.mark.parametrize("behaviour", ["segfault", "exit", "kill", "garbage", "object", "raise"])
def test_the_next_cell_is_measured_all_the_same(tmp_path, behaviour):
    run = run_fakes(tmp_path, fake_framework(behaviour=behaviour, at=2))
    assert statuses(run)[4] == "ok"
    assert [len(loop.batch_s) for loop in run.records[1].loops] == [2, 2, 2], "an answer about another cell"


def test_larger_batches_are_skipped_after_out_of_memory_unless_asked_for(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    run = run_fakes(tmp_path / "a", fake_framework(behaviour="memory", at=2))
    assert statuses(run) == {2: "out-of-memory", 4: "skipped"}
    assert "batch size 2 ran out of memory" in run.records[1].cause

    insistent = msgspec.structs.replace(fake_request(), keep_trying=True)
    run = run_fakes(tmp_path / "b", fake_framework(behaviour="memory", at=2), request=insistent)
    assert statuses(run) == {2: "out-of-memory", 4: "ok"}


@pytest.mark.parametrize(("behaviour", "status"), [("hang", "hung"), ("spin", "timed-out")])
def test_a_worker_that_does_not_answer_is_stopped(tmp_path, behaviour, status):
    request = fake_request(timeout_s=1.5)
    run = run_fakes(tmp_path, fake_framework(behaviour=behaviour, at=2), request=request)
    assert statuses(run) == {2: status, 4: "ok"}
    assert "--timeout" in run.records[0].cause and "prepare" in run.records[0].cause


def test_output_of_the_framework_goes_to_the_log(tmp_path):
    run = run_fakes(tmp_path, fake_framework(behaviour="stdout"))
    assert statuses(run) == {2: "ok", 4: "ok"}
    log = (run.path / run.records[0].log).read_text()
    assert "xxxx" in log and '{"event": "result"}' in log


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"device": "cuda:0"}, "wrong-device"),
        ({"precision": "bf16"}, "wrong-precision"),
        ({"device": ""}, "wrong-device"),
    ],
)
def test_work_done_elsewhere_or_otherwise_is_not_timed(tmp_path, options, status):
    run = run_fakes(tmp_path, fake_framework(**options))
    assert {r.status for r in run.records} == {status}
    assert all(r.loops == () and r.actual is not None for r in run.records)


def test_a_framework_that_dies_while_loading_ends_all_its_cells(tmp_path):
    run = run_fakes(tmp_path, fake_framework(open="segfault"), fake_framework("sound"))
    assert [r.status for r in run.records if r.cell.framework == "fake"] == ["crashed", "crashed"]
    assert [r.status for r in run.records if r.cell.framework == "sound"] == ["ok", "ok"]


def test_a_malformed_answer_to_open_ends_its_cells(tmp_path):
    run = run_fakes(tmp_path, fake_framework(open="opened"))
    assert [r.status for r in run.records] == ["broken-protocol", "broken-protocol"]


def test_an_interpreter_that_does_not_exist_is_a_failed_cell(tmp_path):
    runner = fake_runner(tmp_path, [fake_framework()])
    broken = type(runner)(
        **{**vars(runner), "launch": lambda cell: _with_python(runner.launch(cell), tmp_path / "no-python")}
    )
    broken.run(read_run(runner.writer.path).missing)
    records = read_run(runner.writer.path).records
    assert {r.status for r in records} == {"failed"}
    assert "no-python" in records[0].cause


def _with_python(launch, python):
    return type(launch)(python, launch.environment)


def test_memory_that_ran_out_is_told_in_bytes(tmp_path):
    record = run_fakes(tmp_path, fake_framework(behaviour="memory", at=2)).records[0]
    assert record.memory.asked_bytes == 12345
    assert record.memory.free_bytes > 2**20
    assert re.fullmatch(
        r"asked for 12.1 KiB, [\d.]+ [GM]iB free: MemoryError: cannot allocate 12345 bytes", record.cause
    )


def test_a_worker_that_closes_its_answers_and_stays_is_hung_not_killed_from_outside(tmp_path, monkeypatch):
    impatient = functools.partialmethod(Child.wait, timeout_s=0.2)
    monkeypatch.setattr(Child, "wait", impatient)
    run = run_fakes(tmp_path, fake_framework(behaviour="silent", at=2))
    by_size = {record.cell.batch_size: record for record in run.records}
    assert (by_size[2].status, by_size[4].status) == ("hung", "ok")
    assert "closed its answers" in by_size[2].cause


def test_a_worker_killed_while_loading_loses_one_size_which_is_still_missing(tmp_path):
    flagged = tmp_path / "first"
    run = run_fakes(tmp_path, fake_framework(open="kill", open_once=str(flagged)))
    assert statuses(run) == {2: "killed", 4: "ok"}
    assert "(SIGKILL) in phase 'load'" in run.records[0].cause
    assert [cell.batch_size for cell, _ in run.missing] == [2]
    again = fake_runner(tmp_path, [fake_framework()], create=False)
    again.run(run.missing)
    whole = read_run(tmp_path / "run")
    assert whole.missing == () and statuses(whole) == {2: "ok", 4: "ok"}


def test_a_worker_killed_while_measuring_says_its_last_words_and_is_still_missing(tmp_path):
    run = run_fakes(tmp_path, fake_framework(behaviour="kill", at=2, says="allocating 3 GiB"))
    assert statuses(run) == {2: "killed", 4: "ok"}
    assert run.records[0].cause.endswith("(SIGKILL) in phase 'prepare'; last words: allocating 3 GiB")
    assert [cell.batch_size for cell, _ in run.missing] == [2]


def test_last_words_are_those_of_the_worker_that_died(tmp_path):
    run = run_fakes(tmp_path, fake_framework(behaviour="kill", says="mine", says_once=str(tmp_path / "told")))
    first, second = (record.cause for record in run.records)
    assert first.endswith("last words: mine") and "last words" not in second
