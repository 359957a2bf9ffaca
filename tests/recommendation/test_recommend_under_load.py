"""What to deploy under a promise to requests that queue."""

import json
import tempfile
from pathlib import Path

import pytest

from fakes import BACKENDS
from inferometer.cli import invoke
from inferometer.recommendation.under_load import Wanted, recommend_under_load
from inferometer.records import Batching
from inferometer.results.summary import summarise
from loaded_runs import loaded_run, one_test, renamed, server


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


RESULTS = (
    server(
        "a",
        [one_test(100, 0.012, watts=50), one_test(200, 0.019, watts=80), one_test(250, 0.03, valid=False)],
    ),
    server("b", [one_test(300, 0.018, watts=90), one_test(400, 0.04, valid=False, watts=99)]),
)


def decided(tmp_path, results, *arguments):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    (found,) = recommend_under_load(summarise([loaded_run(folder, results)]), Wanted(*arguments))
    return found


def test_the_cheapest_that_keeps_the_promise_is_taken(tmp_path):
    found = decided(tmp_path, RESULTS, 0.02)
    assert (found.choice.summary.cell.framework, found.choice.rate) == ("b", 300)
    assert found.choice.joules == pytest.approx(0.3) and found.by == "energy a request"
    assert [o.summary.cell.framework for o in found.others] == ["a"]
    assert any(d.startswith("service time, no queue of c") for d in found.doubts)
    assert any("not a valid MLPerf length" in d for d in found.doubts)


def test_a_rate_leaves_out_what_cannot_answer_it(tmp_path):
    assert decided(tmp_path, RESULTS, 0.02, 250).choice.rate == 300
    none = decided(tmp_path, RESULTS, 0.02, 350)
    assert none.choice is None and "up to 200 requests/s only" in none.refused[0]


def test_a_tighter_promise_is_kept_at_lower_rates_that_were_tried(tmp_path):
    found = decided(tmp_path, RESULTS, 0.015)
    assert (found.choice.summary.cell.framework, found.choice.rate) == ("a", 100)
    assert "b, batches up to 8: no test kept p99 within 15.0 ms" in found.refused


def test_a_promise_is_kept_in_every_round(tmp_path):
    second = server("b", [one_test(220, 0.019, watts=88)], number=1)
    found = decided(tmp_path, (*RESULTS, second), 0.02)
    rates = {o.summary.cell.framework: o.rate for o in (found.choice, *found.others)}
    assert rates == {"a": 200, "b": 220}


def test_without_meters_the_highest_rate_is_the_cheapest(tmp_path):
    results = [server("a", [one_test(200, 0.01)]), server("b", [one_test(150, 0.01, watts=1)])]
    found = decided(tmp_path, results, 0.02)
    assert found.choice.rate == 200 and "not every row's energy is known" in found.by


def test_without_meters_the_highest_rate_counts_not_the_one_that_was_tried_next_to_what_is_wanted(
    tmp_path,
):
    tried = [one_test(1000, 0.01), one_test(1500, 0.01), one_test(2000, 0.1, valid=False)]
    results = [server("a", tried), server("b", [one_test(1100, 0.01), one_test(1150, 0.015)])]
    found = decided(tmp_path, results, 0.02, 300)
    assert found.choice.summary.cell.framework == "a"
    assert (found.choice.rate, found.choice.highest_rate) == (1000, 1500)
    assert "up to 1,500 requests/s; at 1,000 requests/s: p99 10.0 ms" in found.choice.words
    wanted = decided(tmp_path, results, 0.02, 1050)
    assert (wanted.choice.summary.cell.framework, wanted.choice.rate) == ("a", 1500)


@pytest.mark.parametrize("status", ["parity-failed", "crashed", "timed-out", "out-of-memory"])
def test_a_row_that_fails_in_a_round_is_not_recommended(tmp_path, status):
    failed = server("b", [], number=1, status=status, cause="row 3 is wrong")
    found = decided(tmp_path, (*RESULTS, failed), 0.02)
    assert found.choice.summary.cell.framework == "a" and not found.others
    assert f"b, batches up to 8: {status}: row 3 is wrong" in found.refused


def test_a_row_that_was_stopped_from_outside_in_a_round_is(tmp_path):
    stopped = server("b", [], number=1, status="interrupted", cause="stopped by the user")
    assert decided(tmp_path, (*RESULTS, stopped), 0.02).choice.summary.cell.framework == "b"


def test_instances_are_a_variant_of_their_own_and_named(tmp_path, capsys):
    both = renamed(server("b", [one_test(500, 0.018, watts=90)]), batching=Batching(8, instances=2))
    run = loaded_run(tmp_path, (*RESULTS, both))
    assert invoke(["recommend", str(run.path), "--max-request-latency-ms", "20"]) == 0
    said = capsys.readouterr().out
    assert "take b, batches up to 8, 2 instances: 500 requests/s" in said
    assert "also: b, batches up to 8: 300 requests/s" in said
    assert invoke(["recommend", str(run.path), "--max-request-latency-ms", "20", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["under_load"][0]["choice"]["instances"] == 2


def test_the_command_says_it_and_closed_loops_alone_have_a_doubt(tmp_path, capsys):
    run = loaded_run(tmp_path, RESULTS)
    assert invoke(["recommend", str(run.path), "--max-request-latency-ms", "20", "--rate", "250"]) == 0
    said = capsys.readouterr().out
    assert "take b, batches up to 8: 300 requests/s, p99 18.0 ms, 300 mJ a request" in said
    assert invoke(["recommend", str(run.path), "--max-request-latency-ms", "20", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (data,) = said["under_load"]
    assert said["closed_loops"] == []
    assert data["choice"]["framework"] == "b" and data["choice"]["energy_request_j"] == pytest.approx(0.3)
    (tmp_path / "closed").mkdir()
    closed = loaded_run(tmp_path / "closed", ())
    assert invoke(["recommend", str(closed.path), "--max-request-latency-ms", "60000"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "no verdict" in said and "service time, no queue" in said
    assert "verdict none: the latency of requests under load was not measured" in said
    assert "to firm it up: inferometer run MODEL --scenarios server --latency-bound 60000ms" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate", "5"], "--rate is for --max-request-latency-ms"),
        (["--max-request-latency-ms", "-1"], "--max-request-latency-ms is -1"),
        (["--max-request-latency-ms", "20", "--max-power-w", "5"], "leave out --max-power-w"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, words, said):
    run = loaded_run(tmp_path, RESULTS)
    assert invoke(["recommend", str(run.path), *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
