"""A run held against its history: passes, fails, or the data cannot say."""

import pytest
from click.testing import CliRunner

import simulated_runs as simulated
from inferometer.cli.compare import compare_command
from inferometer.comparison.baseline import before, dated_runs, newest_of_each, read_dated
from inferometer.errors import UsageError
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from nightly_runs import write


def compare(*arguments):
    return CliRunner().invoke(compare_command, [str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def nights(tmp_path):
    folder = tmp_path / "nightly"
    for day in range(1, 8):
        write(folder, day)
    return folder


def test_a_run_as_its_history_passes(nights, tmp_path):
    assert compare(write(tmp_path, 9), "--against", nights).return_value == 0


def test_a_slower_run_fails_with_status_3(nights, tmp_path):
    found = compare(write(tmp_path, 9, 0.9), "--against", nights)
    assert found.return_value == 3
    assert "slower, throughput -10" in found.output


def test_a_loss_that_is_not_excluded_is_inconclusive(tmp_path):
    folder = tmp_path / "nightly"
    for day in range(1, 4):
        write(folder, day, wobble=0.03)
    found = compare(write(tmp_path, 9, wobble=0.03), "--against", folder)
    assert found.return_value == 4
    assert "of 3 cells got 3 % slower is neither shown nor excluded" in found.output


def test_a_history_of_other_hardware_or_of_nothing_is_none(nights, tmp_path):
    other = simulated.machine_of(simulated.BOARDS[0])
    found = compare(write(tmp_path, 9, machine=other), "--against", nights)
    assert (found.return_value, "holds no older run" in found.output) == (4, True)
    (tmp_path / "empty").mkdir()
    assert compare(write(tmp_path, 10), "--against", tmp_path / "empty").return_value == 4
    assert isinstance(compare(nights / "day-1", "--against", tmp_path / "none").exception, UsageError)


def test_only_the_last_older_runs_count_and_damaged_ones_are_left_out(nights):
    told = []
    (nights / "day-6" / "run.json").write_text("{")
    runs = dated_runs(nights, told.append)
    assert [run.path.name for run in before(runs, read_run(nights / "day-5"), 3)] == [
        "day-2",
        "day-3",
        "day-4",
    ]
    assert len(told) == 1
    assert "day-6" in told[0]


def test_of_several_versions_the_newest_counts(nights, tmp_path):
    write(nights, 8, 0.9, version="2.0")
    runs = read_dated(dated_runs(nights, print), print)
    results = newest_of_each(summarise(runs))
    assert {s.actual.version for s in results.summaries} == {"2.0"}
    assert compare(write(tmp_path, 9, 0.9, version="2.0"), "--against", nights).return_value == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("a",),
        ("a", "b", "--against", "c"),
        ("a", "b", "--last", "3"),
        ("a", "--against", "c", "--frameworks", "x,y"),
    ],
)
def test_sides_that_do_not_fit(arguments):
    assert isinstance(compare(*arguments).exception, UsageError)
