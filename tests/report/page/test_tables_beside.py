"""The tables of a big page are the same whoever makes them: this process, one beside it, or one that fails."""

import contextlib
import sys

import psutil
import pytest

import simulated_runs as simulated
from inferometer.report.figures.colours import palette_of
from inferometer.report.page import beside, tables
from inferometer.report.page.beside import tables_beside
from inferometer.results import summary_cache
from inferometer.results.opening import open_results
from parts import needed

needed("duckdb")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("beside") / "run"
    frameworks = ("onnxrt", "openvino", "torch", "mnn")
    return simulated.write_run(path, simulated.BOARDS[0], frameworks=frameworks, batch_sizes=(8, 512))


@pytest.fixture
def run(written, monkeypatch):
    monkeypatch.setattr(summary_cache, "WORTH_BYTES", 0)
    monkeypatch.setattr(beside, "WORTH_CELLS", 1)
    monkeypatch.setattr(beside, "usable_cores", lambda: 2)
    (written / summary_cache.CACHE_FILE).unlink(missing_ok=True)
    return written


@pytest.fixture
def kept(run):
    open_results([run])
    assert (run / summary_cache.CACHE_FILE).exists()
    return run


@pytest.fixture
def made_here(monkeypatch):
    """Return the metrics that this process makes the tables of."""
    made = []
    whole = beside.views_of
    monkeypatch.setattr(beside, "views_of", lambda name, *rest: made.append(name) or whole(name, *rest))
    return made


def alone(results, reference=None):
    views = {name: tables.views_of(name, results, palette_of(results), reference) for name in tables.names()}
    return tables.by_section(results, views)


def together(results, reference=None):
    with tables_beside(results, palette_of(results), reference) as found:
        return found()


def the_child_does_all(monkeypatch):
    monkeypatch.setattr(beside._Making, "together", lambda making, answer: answer.result() or making.here())


def test_a_child_makes_what_this_process_makes(kept, made_here, monkeypatch):
    the_child_does_all(monkeypatch)
    results = open_results([kept])
    machine = next(iter(results.machines))
    assert together(results, machine) == alone(results, machine)
    assert made_here == []


def test_both_make_some(kept):
    results = open_results([kept])
    assert together(results) == alone(results)


@pytest.mark.parametrize("program", ["/bin/false", "/bin/echo", "/no/such/program"])
def test_what_a_child_does_not_make_is_made_here(kept, made_here, monkeypatch, program):
    the_child_does_all(monkeypatch)
    results = open_results([kept])
    monkeypatch.setattr(sys, "executable", program)
    assert together(results) == alone(results)
    assert made_here == tables.names()


def test_what_a_killed_child_had_begun_is_made_here(kept, made_here, monkeypatch):
    the_child_does_all(monkeypatch)
    asked = []

    def killed_at_the_third(child):
        if len(asked) == 3:  # it told its state, and two metrics
            child.kill()
            child.wait()
        asked.append(child)
        return whole(child)

    whole = beside.heard
    monkeypatch.setattr(beside, "heard", killed_at_the_third)
    results = open_results([kept])
    assert together(results) == alone(results)
    assert set(made_here) < set(tables.names()) and made_here


def test_a_child_that_read_something_else_makes_nothing(kept, made_here, monkeypatch):
    the_child_does_all(monkeypatch)
    monkeypatch.setattr(beside, "_state_of", lambda results: b"another")
    results = open_results([kept])
    assert together(results) == alone(results)
    assert made_here == tables.names()


def test_a_child_waits_until_the_summaries_are_kept(run, made_here, monkeypatch):
    the_child_does_all(monkeypatch)
    found = []
    results = open_results([run], keep=lambda *kept: found.append(kept))
    with tables_beside(results, palette_of(results)) as made:
        summary_cache.store(*found[0])
        assert made() == alone(results)
    assert made_here == []


def test_summaries_of_other_content_are_not_taken_for_those_that_will_be_kept(kept, made_here, monkeypatch):
    the_child_does_all(monkeypatch)
    found = []
    with monkeypatch.context() as now:
        now.setattr(summary_cache, "content_of", lambda run: "another")
        results = open_results([kept], keep=lambda *whole: found.append(whole))
    assert found and not (kept / summary_cache.CACHE_FILE).exists()
    with tables_beside(results, palette_of(results)) as made:
        summary_cache.store(*found[0])
        assert made() == alone(results)
    assert made_here == []


def test_where_nothing_is_kept_no_child_is_waited_for(run, made_here):
    results = open_results([run], keep=lambda *kept: None)
    assert together(results) == alone(results)
    assert made_here == tables.names()


def test_no_child_is_left_by_what_fails_meanwhile(kept):
    results = open_results([kept])
    before = psutil.Process().children()
    with contextlib.suppress(ZeroDivisionError), tables_beside(results, palette_of(results)):
        _ = 1 / 0
    assert set(psutil.Process().children()) <= set(before)
