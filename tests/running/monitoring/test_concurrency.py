"""What a record says of the workers that ran beside it."""

import contextlib

import pytest

from inferometer.records import Cell, Loop, Record
from inferometer.results.flags import in_short
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
    record = concurrency.with_flags(Record(cell(), 0, "ok", flags=("a flag",), loops=loops), 11 * S)
    assert record.flags == (
        "a flag",
        "measured at once with cuda:1: tf for 3.00 s, jax for 6.00 s; during 50% of its loops",
        "measured at once with cpu: torch for 11.0 s; during 50% of its loops",
    )


def test_a_cell_that_failed_tells_it_too(concurrency):
    (flag,) = concurrency.with_flags(Record(cell(device="cpu"), 0, "crashed"), 29 * S).flags
    assert flag == "measured at once with cuda:0: onnxrt for 1.00 s"


def test_alone_there_is_nothing_to_tell():
    clock = Clock()
    concurrency = Concurrency(clock)
    with concurrency.worker(cell()):
        clock.now_s = 5.0
        record = Record(cell(), 0, "ok", loops=(Loop(2.0, (), S),))
        assert concurrency.with_flags(record, 0) is record


def test_tables_name_the_device_once_not_every_rounds_seconds():
    assert in_short("throttled: power cap for 1.2 s") == "throttled: power cap for 1.2 s"
    rounds = [
        measured(cell(), number, flags=(f"measured at once with cuda:1: {name} for {number + 1}.00 s",))
        for number, name in enumerate(("tf", "jax", "tf"))
    ]
    (summary,) = summarise([run(rounds)]).summaries
    assert summary.flags == ("measured at once with cuda:1",)
