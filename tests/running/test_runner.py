"""Real worker processes with a fake framework: every way a cell can end."""

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fakes import BACKENDS, fake_framework, fake_request, fake_runner, flags_of, run_fakes
from inferometer.energy.view import MeterNeeds
from inferometer.flags import Flag, flag
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.run_directory import read_run
from processes import children_of, is_alive, wait_for


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


def statuses(run):
    return {r.cell.batch_size: r.status for r in run.records}


def test_a_good_cell_keeps_every_raw_number(tmp_path):
    run = run_fakes(tmp_path, fake_framework())
    assert statuses(run) == {2: "ok", 4: "ok"}
    record = run.records[0]
    assert record.images == 8
    assert len(record.loops) == 3
    assert all(len(loop.batch_s) == 4 and loop.start_ns > 0 for loop in record.loops)
    assert all(abs(sum(loop.batch_s) - loop.elapsed_s) < 1e-3 for loop in record.loops)
    assert record.parity.passed and record.parity.max_abs == 0
    assert record.actual.version == "1.0" and record.actual.threads == 1
    assert record.memory.rss_peak_bytes > 1 << 20
    assert record.prepare.load_s > 0
    assert run.missing == ()


def test_a_partial_last_batch_is_measured_and_said(tmp_path):
    request = fake_request(images=7)
    run = run_fakes(tmp_path, fake_framework(), request=request)
    record = next(r for r in run.records if r.cell.batch_size == 4)
    assert record.status == "ok"
    assert [len(loop.batch_s) for loop in record.loops] == [2, 2, 2]
    assert flags_of(record) == (flag("partial-batch", last=3, full=4),)


def test_a_slow_cell_is_cut_by_its_budget_and_says_so(tmp_path):
    request = fake_request(loops=50, warmup=500, budget_s=0.3)
    run = run_fakes(tmp_path, fake_framework(behaviour="slow"), request=request)
    record = run.records[0]
    assert 3 <= len(record.loops) < 50
    found = {flag.kind: flag.values for flag in record.flags}
    assert found["warmup-cut"]["asked"] == 500 and found["warmup-cut"]["budget_s"] == 0.3
    assert found["few-loops"] == {
        "done": len(record.loops),
        "asked": 50,
        "limit": "budget",
        "limit_s": 0.3,
    }


def test_the_protocol_says_how_few_loops_the_budget_leaves(tmp_path):
    for least in (1, 2):
        folder = tmp_path / str(least)
        folder.mkdir()
        request = fake_request(loops=50, warmup=0, budget_s=1e-9, least_loops=least)
        assert {len(r.loops) for r in run_fakes(folder, fake_framework(), request=request).records} == {least}


def test_loops_that_a_moment_is_enough_for_go_on_for_a_while(tmp_path):
    for seconds, budget_s, least_s in ((0.1, 0.0, 0.1), (0.1, 0.02, 0.02), (0.0, 0.0, 0.0)):
        folder = tmp_path / f"{seconds}-{budget_s}"
        folder.mkdir()
        request = fake_request(loops=2, budget_s=budget_s, least_s=seconds)
        records = run_fakes(folder, fake_framework(), request=request).records
        assert records and all(sum(loop.elapsed_s for loop in r.loops) >= least_s for r in records)
        if budget_s or not seconds:
            assert all(sum(loop.elapsed_s for loop in r.loops[:-1]) < max(budget_s, 0.1) for r in records)


def test_loops_go_on_for_the_meters_and_are_shifted_where_they_keep_step(tmp_path):
    every_period = tuple(
        0.005 * 1.01**i for i in range(350)
    )  # 5 to 160 ms: one of them fits, however fast this machine
    request = fake_request(loops=12, images=4)
    framework = fake_framework(behaviour="slow")
    run = run_fakes(tmp_path, framework, request=request, needs=MeterNeeds(0.5, every_period))
    for record in run.records:
        assert sum(loop.elapsed_s for loop in record.loops) >= 0.5
        assert sys.platform != "linux" or record.actual.details["processors"]["others_share"] >= 0
        starts = [loop.start_ns for loop in record.loops]
        gaps = [
            b - a - loop.elapsed_s * 1e9 for a, b, loop in zip(starts, starts[1:], record.loops, strict=False)
        ]
        assert [f.scope for f in record.flags if f.kind == "phase-shifted"] == ["energy"]
        assert max(gaps) > 50_000  # a pause, beside which two loops follow one another within microseconds
    unmetered = run_fakes(tmp_path / "run", framework, request=request).records[0]
    assert not any(flag.kind == "phase-shifted" for flag in unmetered.flags)


def test_rounds_are_fresh_processes_interleaved_across_frameworks(tmp_path):
    frameworks = [fake_framework(name) for name in ("a", "b", "c")]
    run = run_fakes(tmp_path, *frameworks, request=fake_request(rounds=3))
    assert [r.round for r in run.records] == [0] * 6 + [1] * 6 + [2] * 6
    orders = {tuple(dict.fromkeys(r.cell.framework for r in run.records if r.round == n)) for n in range(3)}
    assert len(orders) > 1
    assert all(r.prepare.load_s > 0 for r in run.records)


@pytest.mark.parametrize("compiles", [True, False])
def test_only_the_first_round_of_a_framework_that_keeps_its_code_is_cold(tmp_path, compiles):
    run = run_fakes(tmp_path, fake_framework(compiles=compiles), request=fake_request(rounds=2))
    assert [r.prepare.cached for r in run.records] == [False, False, compiles, compiles]


class _InterruptAt(SilentObserver):
    def __init__(self, phase):
        self.phase = phase

    def cell_phase(self, cell, round_number, phase):
        if phase == self.phase and cell.batch_size == 4:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_measured_and_the_rest_can_be_resumed(tmp_path):
    runner = fake_runner(tmp_path, [fake_framework()], observer=_InterruptAt("loops"))
    with pytest.raises(KeyboardInterrupt):
        runner.run(read_run(runner.writer.path).missing)
    run = read_run(runner.writer.path)
    assert [r.status for r in run.records] == ["ok", "interrupted"]
    assert [cell.batch_size for cell, _ in run.missing] == [4]
    again = fake_runner(tmp_path, [fake_framework()], create=False)
    again.run(run.missing)
    assert [r.status for r in read_run(runner.writer.path).records] == ["ok", "interrupted", "ok"]


SEEN = Flag("seen")


class _Flagging:
    """Flags every cell that it sees ended."""

    def __getattr__(self, name):
        return lambda *arguments: None

    def end(self, record):
        return msgspec.structs.replace(record, flags=(*record.flags, SEEN))


def test_watches_see_cells_that_failed_too(tmp_path):
    run = run_fakes(tmp_path, fake_framework(behaviour="memory", at=2), monitors=(_Flagging(),))
    assert [(r.status, r.flags) for r in run.records] == [("out-of-memory", (SEEN,)), ("skipped", ())]


class _InterruptWatch:
    def __init__(self, at):
        self.at = at
        self.ended = False

    def begin_worker(self, cell):
        pass

    def begin_run(self):
        if self.at == "begin_run":
            raise KeyboardInterrupt

    def begin(self, cell, pid):
        if cell.batch_size == self.at:
            raise KeyboardInterrupt

    def end(self, record):
        return record

    def end_run(self):
        self.ended = True


@pytest.mark.parametrize(("at", "left"), [("begin_run", []), (4, [(2, "ok"), (4, "interrupted")])])
def test_ctrl_c_while_the_machine_rests_names_the_next_cell_and_lets_go_of_the_meters(tmp_path, at, left):
    first, second = _InterruptWatch(at), _InterruptWatch("never")
    with pytest.raises(KeyboardInterrupt):
        run_fakes(tmp_path, fake_framework(), monitors=(second, first))
    records = read_run(tmp_path / "run").records
    assert [(r.cell.batch_size, r.status) for r in records] == left
    assert first.ended and second.ended


def test_time_spent_on_one_cell_is_not_told_of_those_that_fall_with_it(tmp_path):
    request = fake_request(timeout_s=1.0)
    run = run_fakes(tmp_path, fake_framework(open="hang"), request=request)
    assert [r.status for r in run.records] == ["hung", "hung"]
    assert run.records[0].elapsed_s >= 1.0 > run.records[1].elapsed_s


_PARENT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from fakes import fake_framework, run_fakes
print("started", flush=True)
run_fakes(Path({folder!r}), fake_framework(behaviour="hang", at=4))
"""


def test_killing_the_parent_loses_at_most_the_cell_in_flight_and_leaves_no_worker(tmp_path):
    script = _PARENT.format(tests=str(Path(__file__).parents[1] / "support"), folder=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    cells = tmp_path / "run" / "cells.jsonl"
    wait_for(lambda: cells.exists() and cells.read_bytes().endswith(b"\n"))
    wait_for(lambda: children_of(parent.pid))
    workers = children_of(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not any(is_alive(pid) for pid in workers))
    run = read_run(tmp_path / "run")
    assert [r.status for r in run.records] == ["ok"]
    again = fake_runner(tmp_path, [fake_framework()], create=False)
    again.run(run.missing)
    assert read_run(tmp_path / "run").missing == ()
