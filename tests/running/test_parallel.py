"""Several devices at once: real worker processes of a fake framework on two devices that this machine need not have."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fakes import BACKENDS, fake_framework, fake_request, fake_runner, flags_of, run_fakes
from inferometer.errors import StoreError
from inferometer.flags import Flag
from inferometer.running.parallel import ParallelRunner
from inferometer.running.schedule import assign
from inferometer.storage.run_directory import RunWriter, read_run
from lane_parts import GPUS, FullDisk, InterruptAt, SignalAt, Told, Watch
from processes import children_of, is_alive, wait_for


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


@pytest.fixture(autouse=True)
def _nothing_left():
    """Whatever happens, no worker and no lane outlives a run."""
    before = set(children_of(os.getpid()))
    yield
    assert set(children_of(os.getpid())) <= before
    for thread in threading.enumerate():
        if thread.name.startswith("inferometer-cuda"):
            thread.join(5)  # it has said its end, and returns
            assert not thread.is_alive()


def run_at_once(folder, *frameworks, monitors=lambda device: (), of_run=(), writer=None, **kwargs):
    runner = fake_runner(folder, frameworks, devices=GPUS, monitors=of_run, **kwargs)
    if writer:
        runner = type(runner)(**{**vars(runner), "writer": writer(runner.writer.path)})
    ParallelRunner(runner=runner, monitors=monitors).run(read_run(runner.writer.path).missing)
    return read_run(runner.writer.path)


def meeting(tmp_path, name="fake", **options):
    """A framework whose workers wait for each other at every batch size, so that they surely run at once."""
    place = tmp_path / "meeting"
    place.mkdir(exist_ok=True)
    return fake_framework(name, meet=str(place), **options)


def by_device(run):
    return {device: [r for r in run.records if r.cell.device == device] for device in GPUS}


def test_both_devices_are_measured_at_once_and_every_record_says_so(tmp_path):
    run = run_at_once(tmp_path, meeting(tmp_path))
    assert [r.status for r in run.records] == ["ok"] * 4
    for device, records in by_device(run).items():
        other = GPUS[1 - GPUS.index(device)]
        assert [r.cell.batch_size for r in records] == [2, 4]
        for record in records:
            (beside,) = flags_of(record)
            assert (beside.kind, beside.values["device"], beside.values["framework"]) == (
                "beside",
                other,
                "fake",
            )
            assert beside.values["seconds"] > 0
        assert flags_of(records[0])[0].values["loops_share"] == pytest.approx(1.0, abs=0.004)


def test_in_turn_there_is_nothing_to_say(tmp_path):
    run = run_fakes(tmp_path, fake_framework(), devices=GPUS)
    assert [(r.status, flags_of(r)) for r in run.records] == [("ok", ())] * 4


def test_each_device_keeps_its_order_and_has_one_worker_at_a_time(tmp_path):
    request = fake_request(rounds=2)
    frameworks = [fake_framework(name) for name in ("a", "b", "c")]
    runner = fake_runner(tmp_path, frameworks, request=request, devices=GPUS)
    missing = read_run(runner.writer.path).missing
    ParallelRunner(runner=runner).run(missing)
    run = read_run(runner.writer.path)
    planned = [(a.round, cell) for a in assign(missing, request.protocol.seed) for cell in a.cells]
    for device, records in by_device(run).items():
        assert [(r.round, r.cell) for r in records] == [p for p in planned if p[1].device == device]
    for device in GPUS:
        lives = sorted((s.start_ns, s.end_ns) for s in runner.concurrency._stints if s.device == device)
        assert len(lives) == 6
        assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(lives))


@pytest.mark.parametrize("behaviour", ["segfault", "kill", "exit", "garbage"])
def test_a_death_on_one_device_does_not_touch_the_other(tmp_path, behaviour):
    bad, sound = meeting(tmp_path, "bad", behaviour=behaviour, at=2), meeting(tmp_path, "sound")
    run = run_at_once(tmp_path, bad, sound, only={"bad": "cuda:0", "sound": "cuda:1"})
    found = by_device(run)
    assert [r.status for r in found["cuda:1"]] == ["ok", "ok"]
    assert found["cuda:0"][0].status != "ok" and found["cuda:0"][1].status == "ok"
    beside = flags_of(found["cuda:0"][0])[0]
    assert (beside.kind, beside.values["device"], beside.values["framework"]) == ("beside", "cuda:1", "sound")


def test_an_interrupt_in_one_lane_ends_both_and_the_rest_can_be_resumed(tmp_path):
    waiting, stopped = fake_framework("waiting", behaviour="hang", at=4), fake_framework("stopped")
    only = {"waiting": "cuda:0", "stopped": "cuda:1"}
    with pytest.raises(KeyboardInterrupt):
        run_at_once(tmp_path, waiting, stopped, only=only, observer=InterruptAt("loops"))
    run = read_run(tmp_path / "run")
    ended = {device: [r.status for r in records] for device, records in by_device(run).items()}
    assert ended["cuda:1"] == ["ok", "interrupted"]
    assert ended["cuda:0"] in (["ok", "interrupted"], ["interrupted"])
    assert {r.cause for r in run.records if r.status == "interrupted"} == {"stopped by the user"}
    sound = [fake_framework("waiting"), fake_framework("stopped")]
    told = Told()
    again = run_at_once(tmp_path, *sound, only=only, create=False, observer=told)
    assert again.missing == () and told.devices == GPUS


@pytest.mark.parametrize(
    ("raised", "cause"), [(SystemExit, "stopped, since the run"), (KeyboardInterrupt, "stopped by")]
)
def test_a_programs_own_signal_handler_ends_the_lanes_before_it_is_heard(tmp_path, raised, cause):
    def handler(*_):
        raise raised

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(raised):
            run_at_once(tmp_path, fake_framework(behaviour="hang", at=4), observer=SignalAt())
    finally:
        signal.signal(signal.SIGTERM, before)
    ended = {(r.cell.device, r.status) for r in read_run(tmp_path / "run").records}
    assert ended == {(device, status) for device in GPUS for status in ("ok", "interrupted")}
    causes = [r.cause for r in read_run(tmp_path / "run").records if r.status == "interrupted"]
    assert all(each.startswith(cause) for each in causes)


def test_a_disk_error_in_one_lane_ends_the_other_with_a_record(tmp_path):
    full, waiting = fake_framework("full"), fake_framework("waiting", behaviour="hang", at=2)
    only = {"full": "cuda:0", "waiting": "cuda:1"}
    with pytest.raises(StoreError, match="No space left"):
        run_at_once(tmp_path, full, waiting, only=only, writer=FullDisk)
    (record,) = read_run(tmp_path / "run").records
    assert (record.cell.device, record.status) == ("cuda:1", "interrupted")
    assert record.cause.startswith("stopped, since cuda:0 could not go on: cannot write")


def test_a_device_has_watches_of_its_own_between_those_of_the_run(tmp_path):
    notes = []
    run = run_at_once(
        tmp_path,
        fake_framework(),
        monitors=lambda device: (Watch(device, notes),),
        of_run=(Watch("run", notes),),
    )
    assert all(Flag(f"seen by {r.cell.device}") in r.flags for r in run.records)
    assert notes[0] == ("run", "begin_run") and notes[-1] == ("run", "end_run")
    assert sorted(notes[1:3]) == [(device, "begin_run") for device in GPUS]
    assert sorted(notes[3:5]) == [(device, "end_run") for device in GPUS]


def test_the_observer_is_told_one_thing_at_a_time(tmp_path):
    observer = Told()
    run = run_at_once(tmp_path, fake_framework("a"), fake_framework("b"), observer=observer)
    assert observer.devices == GPUS
    assert observer.ended == len(run.records) == 8
    assert {r.status for r in run.records} == {"ok"}


def test_the_last_device_to_be_resumed_is_not_told_to_run_beside_others(tmp_path):
    runner = fake_runner(tmp_path, [fake_framework()], devices=GPUS)
    alone = [pair for pair in read_run(runner.writer.path).missing if pair[0].device == "cuda:0"]
    runner.run(alone)
    told = Told()
    run = run_at_once(tmp_path, fake_framework(), create=False, observer=told)
    assert told.devices == () and told.ended == 2
    assert [(r.cell.device, flags_of(r)) for r in run.records] == [
        (device, ()) for device in GPUS for _ in "ab"
    ]


def test_code_that_one_device_compiled_is_not_found_by_the_other(tmp_path):
    run = run_at_once(tmp_path, fake_framework(compiles=True), request=fake_request(rounds=2))
    assert {path.name for path in (run.path / "compile-cache").iterdir()} == {"fake-cuda_0", "fake-cuda_1"}
    for records in by_device(run).values():
        assert [r.prepare.cached for r in records] == [False, False, True, True]


def test_records_of_many_threads_are_whole_lines(tmp_path):
    run = run_fakes(tmp_path, fake_framework())
    writer = RunWriter(run.path)
    threads = [
        threading.Thread(target=lambda: [writer.append(run.records[0]) for _ in range(20)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_run(run.path).records == (*run.records, *[run.records[0]] * 160)


_PARENT = """
import sys
sys.path[:0] = {folders!r}
from pathlib import Path
from test_parallel import run_at_once
from fakes import fake_framework
try:
    run_at_once(Path({folder!r}), fake_framework(behaviour="hang", at=4))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def hanging(tmp_path):
    """A process that measures on two devices and hangs in the second cell of each; and its workers."""
    script = _PARENT.format(
        folders=[str(Path(__file__).parent), str(Path(__file__).parents[1] / "support")], folder=str(tmp_path)
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    cells = tmp_path / "run" / "cells.jsonl"
    wait_for(lambda: cells.exists() and cells.read_bytes().count(b"\n") == 2)
    workers = children_of(parent.pid)
    assert len(workers) == 2
    yield parent, workers
    parent.kill()
    parent.wait()
    parent.stderr.close()


def test_ctrl_c_ends_every_worker_with_a_record_each(tmp_path, hanging):
    parent, workers = hanging
    for _ in range(3):  # an impatient user
        parent.send_signal(signal.SIGINT)
    assert parent.wait(20) == 130
    assert b"Traceback" not in parent.stderr.read()
    assert not any(is_alive(pid) for pid in workers)
    run = read_run(tmp_path / "run")
    assert sorted((r.cell.device, r.cell.batch_size, r.status) for r in run.records) == [
        ("cuda:0", 2, "ok"),
        ("cuda:0", 4, "interrupted"),
        ("cuda:1", 2, "ok"),
        ("cuda:1", 4, "interrupted"),
    ]
    assert run_at_once(tmp_path, fake_framework(), create=False).missing == ()


def test_killing_the_parent_leaves_no_worker(tmp_path, hanging):
    parent, workers = hanging
    parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in workers))
    run = read_run(tmp_path / "run")
    assert [r.status for r in run.records] == ["ok", "ok"]
    assert run_at_once(tmp_path, fake_framework(), create=False).missing == ()
