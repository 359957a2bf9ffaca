"""What the table of results under load says: which machine, which promise, which percentiles, and what does not count."""

from dataclasses import replace

import pytest

from fakes import BACKENDS
from inferometer.cli import invoke
from inferometer.records import Batching
from inferometer.results.summary import summarise
from inferometer.results.under_load import summarise_load
from inferometer.storage.merge import merge, write
from inferometer.storage.run_directory import read_run
from inferometer.tables.under_load import load_markdown, load_notes, load_parts
from loaded_runs import loaded_run, one_test, renamed, server


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


def summarised(tmp_path, *results):
    return summarise_load(summarise([loaded_run(tmp_path, results)]))


def stream(framework, latency_s, *, scenario="multi-stream", rate=None, valid=True, **fields):
    test = one_test(50, latency_s, target_rate=None, valid=valid)
    percentile = 99.0 if scenario == "multi-stream" else 90.0
    result = server(framework, [], bound_s=None, percentile=percentile, **fields)
    return renamed(result, scenario=scenario, tests=(renamed(test, rate=rate, purpose="measure"),), chosen=0)


def test_a_stream_without_a_rate_has_an_empty_cell_and_is_placed_by_its_latency(tmp_path):
    table = load_markdown(summarised(tmp_path, stream("a", 0.02), stream("b", 0.01)))
    assert "none" not in table and table.index("| b |") < table.index("| a |")


@pytest.mark.parametrize(("same", "usual"), [(None, 50.0), (50.0, None), (None, None)])
def test_an_audit_without_both_rates_is_not_judged(tmp_path, same, usual):
    result = stream("a", 0.02, rate=usual)
    audit = renamed(result.tests[0], purpose="audit", audit="same", rate=same)
    (summary,) = summarised(tmp_path, renamed(result, tests=(*result.tests, audit)))
    assert summary.audit.startswith("audit not judged")


def test_streams_show_both_percentiles(tmp_path):
    table = load_markdown(summarised(tmp_path, stream("a", 0.02, scenario="single-stream", rate=50.0)))
    assert "| p90 | p99 |" in table and "| 10.0 ms | 20.0 ms |" in table


def test_another_percentile_has_a_column_of_its_own(tmp_path):
    test = one_test(100, 0.01, latency_s={"95": 0.008, "90": 0.006, "99": 0.01})
    table = load_markdown(summarised(tmp_path, server("a", [test], percentile=95.0)))
    assert "| latency |" in table and "| 8.00 ms |" in table


def test_several_machines_have_a_table_each(tmp_path):
    (here,) = summarised(tmp_path, server("a", [one_test(400, 0.01)], cause="here"))
    there = replace(here, machine="another machine")
    assert [title for title, _ in load_parts([here])] == [""]
    titles = [title for title, _ in load_parts([here, there])]
    assert titles == [f"{s.machine}: {s.model}" for s in (here, there)]
    text = load_markdown([here, there])
    assert all(text.count(f": {title}**") == 1 for title in titles) and text.count("| scenario |") == 2


def test_the_commands_tell_machines_apart(tmp_path, capsys):
    paths = []
    for model in ("one", "two"):
        (tmp_path / model).mkdir()
        run = loaded_run(tmp_path / model, [server("a", [one_test(400, 0.01)])])
        for name in ("run.json", "cells.jsonl", "scenarios.jsonl"):
            text = (run.path / name).read_text()
            (run.path / name).write_text(text.replace('"model":"fake"', f'"model":"{model}"'))
        paths.append(str(run.path))
    assert invoke(["load", *paths]) == 0
    said = capsys.readouterr().out
    assert said.count("Under load (MLPerf's LoadGen): ") == 2 and ": one\n" in said and ": two\n" in said


def test_notes_name_the_promise_and_the_policy(tmp_path):
    none = [one_test(11, 0.05, valid=False)]
    tight = server("a", none, bound_s=0.01, cause="no rate keeps the bound")
    padded = renamed(server("b", [one_test(90, 0.01)]), batching=Batching(8, padding="one"), switch_s=1.0)
    padded = renamed(padded, service_s={"8": 0.01})
    notes = load_notes(summarised(tmp_path, tight, padded))
    assert "a, server p99 ≤ 10.0 ms, up to 8: no rate keeps the bound" in notes
    assert not any("try --padding one" in note for note in notes), "that is what it has"
    notes = load_notes(summarised_again(tmp_path, renamed(padded, batching=Batching(8))))
    assert any("try --padding one" in note for note in notes)


def summarised_again(tmp_path, *results):
    (tmp_path / "again").mkdir()
    return summarised(tmp_path / "again", *results)


def test_a_padding_that_is_not_the_usual_one_has_a_word():
    assert Batching(8, padding="one").words == "up to 8, padding one"
    assert Batching(8, 0.002, "largest", 2).words == "up to 8, waits 2 ms, padding largest, 2 instances"
    assert Batching(1, padding="one").words == "single", "there is nothing to fill up"


def test_figures_of_some_of_the_rounds_only_are_told(tmp_path):
    rounds = [
        server("a", [one_test(100, 0.01)]),
        server("a", [one_test(90, 0.05, valid=False)], number=1, cause="no rate keeps the bound"),
        server("a", [], number=2, status="failed", cause="it broke"),
    ]
    notes = load_notes(summarised(tmp_path, *rounds))
    assert any("its figures are of 1 of 3 rounds" in note for note in notes)
    invalid = stream("b", 0.02, valid=False)
    notes = load_notes(summarised_again(tmp_path, invalid))
    assert any("figures of streams and offline are of INVALID tests too" in note for note in notes)


def test_what_was_merged_before_counts_once(tmp_path):
    runs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        result = renamed(server("a", [one_test(100, 0.01)]), started_at=name)
        runs.append(loaded_run(tmp_path / name, [result], frameworks=("a",)))
    write(merge(runs), tmp_path / "merged")
    write(merge([read_run(tmp_path / "merged"), runs[1]]), tmp_path / "again")
    again = read_run(tmp_path / "again")
    assert [(r.round, r.started_at) for r in again.scenarios] == [(0, "one"), (1, "two")]


def test_the_label_of_a_row_is_that_of_the_mode_it_was_loaded_in(tmp_path):
    run = loaded_run(tmp_path, [server("a", [one_test(100, 0.01)])])
    found = summarise([run])
    resident = [renamed(s, cell=renamed(s.cell, mode="device"), row="resident") for s in found.summaries]
    (summary,) = summarise_load(replace(found, summaries=(*found.summaries, *resident)))
    assert summary.row == "a"
