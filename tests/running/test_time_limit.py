"""A run's time limit: whole rounds only, the first always, and the run says what was cut."""

import dataclasses

import msgspec
import pytest

from fakes import BACKENDS, fake_framework, fake_request, fake_runner
from inferometer.frameworks import environments, requirements
from inferometer.planning.request import make_request
from inferometer.results.summary import summarise
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.run import execute, resume
from inferometer.running.time_limit import TimeLimit
from inferometer.storage.run_directory import read_run
from inferometer.tables.notes import notes


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def begun(limit_s, *lengths):
    """Return the rounds of these lengths that a limit lets begin."""
    clock = Clock()
    limit = TimeLimit(limit_s, clock)
    rounds = []
    for number, length in enumerate(lengths):
        if limit.may_begin(number):
            rounds.append(number)
            assert limit.may_begin(number)  # the next worker of the same round
            clock.now += length
    return rounds, limit.rounds


@pytest.mark.parametrize(
    ("limit_s", "lengths", "expected"),
    [
        (0, (9e9, 9e9), ([0, 1], None)),
        (10, (100, 1, 1), ([0], 1)),
        (30, (10, 10, 10), ([0, 1, 2], None)),
        (30, (10, 11, 1), ([0, 1], 2)),  # 21 s gone, and 11 more are expected
        (30, (20, 1, 1), ([0], 1)),  # a round that compiled says nothing better of the next
        (30, (12, 5, 5, 5, 5), ([0, 1, 2, 3], 4)),
    ],
)
def test_a_round_begins_where_one_as_long_as_the_last_would_fit(limit_s, lengths, expected):
    assert begun(limit_s, *lengths) == expected


def test_a_refused_round_stays_refused():
    clock = Clock()
    limit = TimeLimit(10, clock)
    assert limit.may_begin(0)
    clock.now = 8
    assert not limit.may_begin(1)
    clock.now = 1
    assert not limit.may_begin(1) and not limit.may_begin(2) and limit.may_begin(0)


def test_a_runner_measures_no_part_of_a_round_that_does_not_fit(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))
    frameworks = [fake_framework("one"), fake_framework("two")]
    runner = fake_runner(tmp_path, frameworks, fake_request(rounds=3))
    limited = dataclasses.replace(runner, time_limit=TimeLimit(1e-3))
    limited.run(read_run(runner.writer.path).missing)
    records = read_run(runner.writer.path).records
    assert {r.round for r in records} == {0} and len(records) == 4


@pytest.mark.environment
def test_a_run_that_its_limit_cut_is_whole_and_says_so(tiny_model, tmp_path):
    environments.ensure(requirements.read("onnxrt", "cpu"), tmp_path / "log", lambda text: None)
    protocol = {"images": 4, "loops": 2, "warmup": 1, "threads": 1, "rounds": 3, "time_limit_s": 0.001}
    request = make_request(tiny_model, batch_sizes="2", frameworks="onnxrt", **protocol)
    # a preset that goes on where the machine is noisy must not go on either
    request = msgspec.structs.replace(
        request, protocol=msgspec.structs.replace(request.protocol, most_rounds=9)
    )
    stored = execute(request, tmp_path / "run", SilentObserver())
    assert len(stored.records) == 1 and stored.missing == ()
    assert stored.info.protocol.rounds == 1 and stored.info.asked_rounds == 3
    assert any(
        "1 of 3 rounds" in note.words and "--time-limit" in note.words for note in notes(summarise([stored]))
    )
    assert len(resume(stored.path, SilentObserver()).records) == 1
