"""Where no thread more may be started (a limit on processes), the work is done by the one there is."""

import threading

import pytest

import simulated_runs as simulated
from inferometer.cli import invoke
from inferometer.report.page import beside
from inferometer.results import parts, summary_cache
from parts import needed

needed("duckdb")


@pytest.fixture
def run(tmp_path, monkeypatch):
    for module, name in ((summary_cache, "WORTH_BYTES"), (parts, "WORTH_BYTES"), (beside, "WORTH_CELLS")):
        monkeypatch.setattr(module, name, 1)
    for module in (parts, beside):
        monkeypatch.setattr(module, "usable_cores", lambda: 4)
    return simulated.write_run(tmp_path / "run", simulated.BOARDS[0], batch_sizes=(8, 16))


@pytest.fixture
def no_thread(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)


def test_commands_do_all_themselves(run, no_thread, tmp_path, capsys):
    assert invoke(["show", str(run)]) == 0
    assert (run / summary_cache.CACHE_FILE).exists()
    assert invoke(["report", str(run), "--out", str(tmp_path / "r.html")]) == 0
    assert not capsys.readouterr().err


def test_what_needs_a_thread_says_so_in_a_line(no_thread, monkeypatch, capsys):
    monkeypatch.setattr("inferometer.cli._call", lambda arguments: threading.Thread().start())
    assert invoke(["show"]) == 1
    err = capsys.readouterr().err
    assert "limit on processes" in err and err.count("\n") == 1
