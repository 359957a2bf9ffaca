"""The table of results under load: what was found, with which verdict, and every test that was tried."""

import csv
import io
import shutil

import pytest

import inferometer
from fakes import BACKENDS
from inferometer.cli import invoke
from inferometer.flags import flag
from inferometer.records import Batching, ScenarioResult
from inferometer.report.markdown import render_markdown
from inferometer.results.completeness import unfinished
from inferometer.results.summary import summarise
from inferometer.results.under_load import summarise_load
from inferometer.storage.merge import merge, write
from inferometer.storage.run_directory import read_run
from inferometer.tables.under_load import load_csv, load_markdown, load_notes
from loaded_runs import loaded_run, one_test, renamed, server


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


def results():
    found = [
        server("a", [one_test(100 + n, 0.015, watts=50), one_test(300, 0.1, valid=False)], number=n)
        for n in range(3)
    ]
    failed = server("b", [], status="killed", cause="from outside")
    none = server(
        "c", [one_test(11, 0.05, valid=False)], cause="no rate keeps the bound: 11.0 requests/s did not"
    )
    return [*found, failed, none]


def test_rates_have_intervals_over_rounds_and_failures_their_cause(tmp_path):
    summaries = summarise_load(summarise([loaded_run(tmp_path, results())]))
    (first,) = [s for s in summaries if s.cell.framework == "a"]
    assert first.rate.value == pytest.approx(101, rel=1e-3) and first.rate.low < 101 < first.rate.high
    assert (first.rounds, first.valid, first.idle_power) == (3, 3, 20.0)
    assert first.energy_request.value == pytest.approx(50 / 101, rel=0.01)
    notes = "\n".join(load_notes(summaries))
    assert "not a valid MLPerf length" in notes and "killed: from outside" in notes
    assert "no rate keeps the bound" in notes
    markdown = load_markdown(summaries)
    assert "| server p99 ≤ 20.0 ms | a | up to 8 | 101" in markdown and "VALID" in markdown


def test_every_test_is_a_row_of_the_data(tmp_path):
    summaries = summarise_load(summarise([loaded_run(tmp_path, results())]))
    rows = list(csv.DictReader(io.StringIO(load_csv(summaries))))
    assert len(rows) == 7
    assert {row["chosen"] for row in rows if row["valid"] == "True"} == {"True"}
    assert float(rows[0]["latency_p99_s"]) == 0.015


def test_shares_of_the_rate_are_told_in_order(tmp_path):
    tests = [one_test(100, 0.01, watts=50)]
    tests += [
        one_test(100 * share, 0.01, watts=30, purpose="load", share=share) for share in (0.75, 0.5, 0.25)
    ]
    (summary,) = summarise_load(summarise([loaded_run(tmp_path, [server("a", tests)])]))
    assert [(share, test.target_rate) for share, test in summary.levels()] == [
        (0.25, 25.0), (0.5, 50.0), (0.75, 75.0), (1.0, 100.0),
    ]  # fmt: skip


def test_a_run_stopped_and_gone_on_counts_once(tmp_path):
    stopped = server("a", [one_test(90, 0.01)], status="interrupted", cause="stopped by the user")
    whole = server("a", [one_test(100, 0.01)])
    (summary,) = summarise_load(summarise([loaded_run(tmp_path, [stopped, whole])]))
    assert summary.rate.value == 100 and summary.rounds == 1 and not summary.problems
    (tmp_path / "stopped").mkdir()
    run = loaded_run(tmp_path / "stopped", [stopped])
    (line,) = unfinished(summarise([run]))
    assert line.startswith("incomplete: 1 result under load stopped before the end: inferometer run --resume")


def test_commands_and_reports_show_it(tmp_path, capsys):
    run = loaded_run(tmp_path, results())
    assert invoke(["load", str(run.path)]) == 0
    assert "Under load" in capsys.readouterr().out
    assert invoke(["show", str(run.path)]) == 0
    assert "Under load" in capsys.readouterr().out
    for form in ("md", "csv", "json"):
        assert invoke(["load", str(run.path), "--format", form]) == 0
        assert "server" in capsys.readouterr().out
    assert [s.cell.framework for s in inferometer.load(run.path).under_load] == ["a", "b", "c"]
    assert "### Under load" in render_markdown(summarise([run]), title="t")
    (tmp_path / "closed").mkdir()
    closed = loaded_run(tmp_path / "closed", [])
    assert invoke(["load", str(closed.path)]) == 2
    assert "run --scenarios" in capsys.readouterr().err


def test_merging_takes_results_and_logs_along(tmp_path):
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        result = renamed(server("a", [one_test(100, 0.01)]), started_at=name)
        refused = renamed(server("a", [], bound_s=0.01, status="failed"), started_at=name)
        runs.append(loaded_run(tmp_path / name, [result, refused], frameworks=("a",)))
        log = runs[-1].path / result.tests[0].folder
        log.mkdir(parents=True)
        (log / "mlperf_log_detail.txt").write_text(name)
    write(merge([*runs, runs[0]]), tmp_path / "merged")
    merged = read_run(tmp_path / "merged")
    assert [(r.round, r.bound_s) for r in merged.scenarios] == [(0, 0.02), (0, 0.01), (1, 0.02), (1, 0.01)]
    folders = [merged.path / test.folder for r in merged.scenarios for test in r.tests]
    texts = [(folder / "mlperf_log_detail.txt").read_text() for folder in folders]
    assert texts == ["one", "two"]


def test_a_run_beside_its_copy_or_what_was_merged_of_it_counts_once(tmp_path):
    (tmp_path / "given").mkdir()
    alone = loaded_run(tmp_path / "given", results())
    shutil.copytree(alone.path, tmp_path / "copy")
    write(merge([alone]), tmp_path / "merged")
    for other in ("copy", "merged"):
        both = [alone, read_run(tmp_path / other)]
        for runs in (both, both[::-1]):
            (found,) = [s for s in summarise_load(summarise(runs)) if s.cell.framework == "a"]
            assert found.rounds == 3, other


def test_a_run_of_before_has_none_and_a_damaged_line_is_named(tmp_path, capsys):
    run = loaded_run(tmp_path, [])
    assert run.scenarios == ()
    (run.path / "scenarios.jsonl").write_text('{"cell": 1}\n')
    assert invoke(["show", str(run.path)]) == 1
    assert "scenarios.jsonl:1: damaged scenario" in capsys.readouterr().err
    assert invoke(["repair", str(run.path)]) == 0
    assert read_run(run.path).scenarios == ()


def test_policies_have_words():
    assert Batching(1).words == "single" and Batching(8, 0.002).words == "up to 8, waits 2 ms"
    assert ScenarioResult.__struct_fields__[0] == "cell"


def test_flags_of_the_tests_that_count_are_told(tmp_path):
    test = one_test(100, 0.01, flags=(flag("gpu-neighbour", pid="7"),))
    ignored = one_test(50, 0.01, flags=(flag("throttled", reason="heat"),))
    summaries = summarise_load(summarise([loaded_run(tmp_path, [server("a", [ignored, test])])]))
    told = [note for note in load_notes(summaries) if note.endswith(": a")]
    assert told == ["another program was on this GPU and may have slowed it: a"]
