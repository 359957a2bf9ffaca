"""What is kept beside a big run says what its records say, or nothing."""

import gc
import hashlib
import os
import shutil

import pytest
from msgspec.structs import fields

import simulated_runs as simulated
from inferometer.cli import invoke
from inferometer.records import Batching, ScenarioResult
from inferometer.results import summary_cache
from inferometer.results.cells import CellSummary
from inferometer.results.opening import open_results
from inferometer.results.summary import summarise
from inferometer.storage.merge import merge, write
from inferometer.storage.run_directory import CELLS_FILE, RUN_FILE, read_run
from inferometer.storage.scenarios import append_scenario
from parts import needed

duckdb = needed("duckdb")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(summary_cache, "WORTH_BYTES", 0)
    path = tmp_path / "run"
    simulated.write_run(
        path, simulated.BOARDS[0], frameworks=("onnxrt", "openvino", "torch", "mnn"), batch_sizes=(8, 512)
    )
    return path


def kept(run):
    return run / summary_cache.CACHE_FILE


def test_summaries_come_back_as_they_were(run):
    computed = summarise([read_run(run)])
    open_results([run])
    cached = summary_cache.load(run)
    assert cached.machines == computed.machines
    assert len(cached.runs[0].records) == len(computed.runs[0].records)
    assert (cached.runs[0].missing, cached.runs[0].info) == ((), computed.runs[0].info)
    for ours, theirs in zip(cached.summaries, computed.summaries, strict=True):
        for field in fields(CellSummary):
            mine, other = getattr(ours, field.name), getattr(theirs, field.name)
            assert (tuple(mine) == tuple(other)) if field.name == "records" else (mine == other), field.name


@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("table", "p99"),
        ("recommend",),
        ("table", "energy", "--format", "csv"),
        ("table", "agreement"),
    ],
    ids=" ".join,
)
def test_commands_say_the_same_with_and_without(run, words, capsys):
    said = []
    for _ in range(2):
        invoke([*words, str(run)])
        said.append(capsys.readouterr().out)
        assert kept(run).exists()
    assert said[0] == said[1] != ""


def test_other_content_is_not_what_was_kept(run):
    open_results([run])
    os.utime(run / CELLS_FILE, (1, 1))
    assert summary_cache.load(run) is not None  # its age says nothing
    text = (run / CELLS_FILE).read_bytes()
    (run / CELLS_FILE).write_bytes(text.replace(b'"elapsed_s":', b'"elapsed_s":1', 1))
    assert summary_cache.load(run) is None
    changed = open_results([run]).summaries[0].throughput
    assert changed == summarise([read_run(run)]).summaries[0].throughput
    assert summary_cache.load(run) is not None
    (run / RUN_FILE).write_bytes((run / RUN_FILE).read_bytes().replace(b"node-", b"node-1"))
    assert summary_cache.load(run) is None


@pytest.mark.parametrize("damage", [b"", b"PAR1 no parquet PAR1"])
def test_a_damaged_cache_is_computed_again(run, damage):
    open_results([run])
    kept(run).write_bytes(damage)
    assert len(open_results([run]).summaries) == len(summarise([read_run(run)]).summaries)
    assert summary_cache.load(run) is not None


def test_nothing_is_kept_of_an_unfinished_run_nor_where_it_cannot_be(tmp_path, run, monkeypatch):
    part = simulated.write_run(tmp_path / "part", simulated.BOARDS[0], keep=20)
    open_results([part])
    assert not kept(part).exists()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert open_results([run]).summaries
    assert not kept(run).exists()


def test_what_it_did_under_load_is_read_beside_the_summaries(run):
    cell = read_run(run).info.cells[0]
    append_scenario(run, ScenarioResult(cell, 0, "server", Batching(), "ok"))
    for _ in range(2):  # from records, then from what was kept
        assert [found.cell for found in open_results([run]).runs[0].scenarios] == [cell]
        assert kept(run).exists()


def test_without_duckdb_it_is_computed(run, monkeypatch):
    monkeypatch.setattr(summary_cache, "_duckdb", lambda: None)
    assert open_results([run]).summaries
    assert not kept(run).exists()


def test_it_is_queried_and_not_merged(run, tmp_path):
    open_results([run])
    rows = duckdb.sql(
        f"SELECT framework, throughput FROM '{kept(run)}' WHERE batch_size = 8 AND best"
    ).fetchall()
    best = [s for s in summarise([read_run(run)]).summaries if s.best and s.cell.batch_size == 8]
    assert rows == [(s.cell.framework, s.throughput.value) for s in best]
    copy = shutil.copytree(run, tmp_path / "copy")
    ((path, _, _),) = write(merge([read_run(copy)]), tmp_path / "merged")
    assert not kept(path).exists()


def test_the_collector_rests_only_while_a_command_reads(run, monkeypatch):
    during = []
    monkeypatch.setattr(summary_cache, "load", lambda path: during.append(gc.isenabled()))
    for words, resting in ((["show"], True), (["load"], False)):
        invoke([*words, str(run)])
        assert (during.pop(), gc.isenabled()) == (not resting, True)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1000])
def test_a_file_read_in_pieces_has_the_hash_of_the_whole(tmp_path, monkeypatch, size):
    monkeypatch.setattr(summary_cache, "_PIECE_BYTES", 64)
    data = bytes(range(256)) * 4
    (tmp_path / "file").write_bytes(data[:size])
    assert summary_cache._digest_of(tmp_path / "file") == hashlib.sha256(data[:size]).digest()
