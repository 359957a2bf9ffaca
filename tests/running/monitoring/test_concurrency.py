"""What a record says of the workers that ran beside it."""

import contextlib

import pytest

from inferometer.flags import flag, group
from inferometer.records import Cell, Loop, Record
from inferometer.results.summary import summarise
from inferometer.running.monitoring.concurrency import Concurrency
from simulated_runs import record as measured
from simulated_runs import run

S = 1_000_000_000


class Clock:
    now_s = 0.0

    def __call__(self):
        return round(self.now_s * S)


def cell(framework="torch", device="cuda:0"):
    return Cell("m", framework, "fp32", 8, device)


@pytest.fixture
def concurrency():
    """tf on cuda:1 from 10 to 14 s, jax there from 14 to 20 s, onnxrt on cuda:0 from 0 s, torch on cpu from 19 s."""
    clock = Clock()
    found = Concurrency(clock)
    found.clock = clock
    with contextlib.ExitStack() as stack:
        stack.enter_context(found.worker(cell("onnxrt", "cuda:0")))
        clock.now_s = 10.0
        with found.worker(cell("tf", "cuda:1")):
            clock.now_s = 14.0
        with found.worker(cell("jax", "cuda:1")):
            clock.now_s = 19.0
            stack.enter_context(found.worker(cell("torch", "cpu")))
            clock.now_s = 20.0
        clock.now_s = 30.0
        yield found


@pytest.mark.parametrize(
    ("device", "start_s", "end_s", "beside"),
    [
        ("cuda:0", 0, 10, {}),
        ("cuda:0", 12, 13, {"cuda:1": {"tf": 1.0}}),
        ("cuda:0", 12, 16, {"cuda:1": {"tf": 2.0, "jax": 2.0}}),
        ("cuda:0", 0, 30, {"cuda:1": {"tf": 4.0, "jax": 6.0}, "cpu": {"torch": 11.0}}),
        ("cuda:1", 12, 13, {"cuda:0": {"onnxrt": 1.0}}),
        ("cpu", 25, 30, {"cuda:0": {"onnxrt": 5.0}}),
    ],
)
def test_workers_of_other_devices_that_ran_between_two_moments(concurrency, device, start_s, end_s, beside):
    assert concurrency.beside(device, start_s * S, end_s * S) == beside


def test_a_record_tells_who_ran_beside_it_how_long_and_during_which_share_of_its_loops(concurrency):
    loops = (Loop(2.0, (), 12 * S), Loop(2.0, (), 22 * S))
    record = concurrency.with_flags(
        Record(cell(), 0, "ok", flags=(flag("partial-batch", last=1, full=2),), loops=loops), 11 * S
    )
    assert record.flags == (
        flag("partial-batch", last=1, full=2),
        flag("beside", device="cuda:1", framework="tf", seconds=3.0, loops_share=0.5),
        flag("beside", device="cuda:1", framework="jax", seconds=6.0, loops_share=0.0),
        flag("beside", device="cpu", framework="torch", seconds=11.0, loops_share=0.5),
    )


def test_a_cell_that_failed_tells_it_too(concurrency):
    record = concurrency.with_flags(Record(cell(device="cpu"), 0, "crashed"), 29 * S)
    assert record.flags == (flag("beside", device="cuda:0", framework="onnxrt", seconds=1.0),)


def test_alone_there_is_nothing_to_tell():
    clock = Clock()
    concurrency = Concurrency(clock)
    with concurrency.worker(cell()):
        clock.now_s = 5.0
        record = Record(cell(), 0, "ok", loops=(Loop(2.0, (), S),))
        assert concurrency.with_flags(record, 0) is record


def test_tables_name_the_device_once_not_every_rounds_seconds():
    rounds = [
        measured(
            cell(), number, flags=(flag("beside", device="cuda:1", framework=name, seconds=number + 1.0),)
        )
        for number, name in enumerate(("tf", "jax", "tf"))
    ]
    (summary,) = summarise([run(rounds)]).summaries
    (told,) = group((found, summary.key) for found in summary.flags)
    assert told.words == "cuda:1 was measuring too: sharing the host may have slowed both"
    assert told.details[0] == "tf, jax ran there for 1.00 s to 3.00 s"
