"""What travels to nodes, and what comes back."""

import hashlib
import os
import random
import resource
import socket

import pytest

from inferometer.errors import StoreError
from inferometer.fleet import goods
from inferometer.fleet.folder import FleetFolder
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import RunWriter, read_run
from simulated_runs import BOARDS, write_run
from travelled import sent


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(goods, "CHUNK_BYTES", 200_000)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(random.Random(1).randbytes(3_000_001))
    return folder


def test_a_folder_arrives_as_it_was_in_pieces_that_are_bounded(model):
    good = goods.given_good(model)
    sizes = sent(good)
    assert len(sizes) >= 3 and max(sizes) < goods.CHUNK_BYTES + 2**20
    there = goods.placed_at(good.key, "saved")
    assert goods.is_here(good.place, good.key)
    for path in model.rglob("*"):
        if path.is_file():
            assert (there / path.relative_to(model)).read_bytes() == path.read_bytes()


def test_the_key_is_of_the_content_only(model, tmp_path):
    first = goods.given_good(model).key
    (model / "saved_model.pb").touch()
    assert goods.given_good(model).key == first
    (model / "saved_model.pb").write_bytes(b"other")
    assert goods.given_good(model).key != first


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_what_a_node_received_has_the_key_that_it_was_sent_under(tmp_path, umask):
    before = os.umask(umask)
    try:
        folder = tmp_path / "saved"
        (folder / "variables").mkdir(parents=True)
        (folder / "variables" / "data").write_bytes(b"weights")
        (folder / "tool").write_bytes(b"#!/bin/sh\n")
        (folder / "tool").chmod(0o777 & ~umask)
        good = goods.given_good(folder)
        sent(good)
        there = goods.placed_at(good.key, "saved")
        assert goods.given_good(there).key == good.key
        assert os.access(there / "tool", os.X_OK)
    finally:
        os.umask(before)


def test_an_entry_of_the_model_cache_becomes_one(tmp_path):
    entry = tmp_path / "0123abcd"
    entry.mkdir()
    (entry / "entry.json").write_text("{}")
    sent(goods.model_good(entry))
    assert (tmp_path / "cache" / "models" / "0123abcd" / "entry.json").read_text() == "{}"


def test_what_arrives_damaged_is_refused(model, tmp_path):
    good = goods.given_good(model)
    incoming = goods.Incoming(good.place, good.key, "saved")
    incoming.add(b"something else")
    with pytest.raises(StoreError, match="saved arrived damaged"):
        incoming.finish("0" * 64)
    assert not goods.is_here(good.place, good.key)
    assert not any((tmp_path / "cache" / "fleet-incoming").iterdir())


def test_two_nodes_of_one_cache_take_a_file_at_the_same_time(model, monkeypatch):
    good, digest, incoming = goods.given_good(model), hashlib.sha256(), []
    for name in ("first", "second"):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        incoming.append(goods.Incoming(good.place, good.key, "saved"))
    for chunk in good.chunks():
        digest.update(chunk)
        for each in incoming:
            each.add(chunk)
    for each in incoming:
        each.finish(digest.hexdigest())
    assert (goods.placed_at(good.key, "saved") / "variables" / "data").read_bytes() == (
        model / "variables" / "data"
    ).read_bytes()


def test_a_file_that_changes_while_it_is_sent_does_not_become_the_one_that_was_asked(model):
    good = goods.given_good(model)
    (model / "saved_model.pb").write_bytes(b"other")
    with pytest.raises(StoreError, match="saved was changed after the run began"):
        sent(good)
    assert not goods.is_here(good.place, good.key)


def test_what_had_come_of_a_file_that_a_disk_does_not_take_is_removed(model, tmp_path):
    good = goods.given_good(model)
    incoming, chunks = goods.Incoming(good.place, good.key, "saved"), good.chunks()
    incoming.add(next(chunks))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            [incoming.add(chunk) for chunk in chunks]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not any((tmp_path / "cache" / "fleet-incoming").iterdir())


@pytest.fixture
def fleet(tmp_path):
    """A fleet's folder with two machines of one kind and one of another."""
    folder = FleetFolder(tmp_path / "fleet")
    folder.write({"name": "fleet"})
    for slug, board in (("one", 0), ("two", 0), ("three", 2)):
        there = tmp_path / slug
        write_run(
            there,
            BOARDS[board],
            frameworks=("onnxrt",),
            precisions=("fp32",),
            batch_sizes=(8,),
            failures=False,
            seed=ord(slug[1]),
        )
        mirror = folder.mirror(slug)
        cells = (there / "cells.jsonl").read_bytes()
        cut = cells.index(b"\n") + 1
        come = {"info_at": 1, "files": []}
        mirror.take(come | {"info": (there / "run.json").read_bytes(), "lines": {"cells.jsonl": cells[:cut]}})
        mirror.take(come | {"info": None, "lines": {"cells.jsonl": cells[cut:]}})
        assert mirror.position == (1, {"cells.jsonl": len(cells)})
        assert read_run(mirror.path).records == read_run(there).records
    return folder


def test_the_merged_view_pools_equal_machines_and_is_what_readers_find(fleet):
    assert len(find_runs(fleet.path)) == 3  # the nodes' runs, until there is a merged view
    paths = fleet.merge(fleet.runs())
    assert len(paths) == 2 and find_runs(fleet.path) == tuple(sorted(paths))
    counts = sorted(len(read_run(path).records) for path in paths)
    assert counts == [3, 6]
    assert fleet.merge(fleet.runs()) == paths  # anew, after more has come


def test_a_merge_that_is_killed_leaves_readers_the_copies(fleet):
    copies = find_runs(fleet.path)
    fleet.merge(fleet.runs())
    pid = os.fork()
    if not pid:
        made = []

        def create(path, info, create=RunWriter.create):
            made.append(path)
            return create(path, info) if len(made) == 1 else os._exit(9)

        RunWriter.create = create
        fleet.merge(fleet.runs())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert find_runs(fleet.path) == copies
    assert len(fleet.merge(fleet.runs())) == 2
    assert {path.name for path in fleet.path.iterdir()} == {"fleet.json", "nodes", "merged"}


def test_a_copy_that_cannot_be_read_is_told_and_the_others_are_merged(fleet):
    (fleet.path / "nodes" / "two" / "run.json").write_text("{")
    told = []
    runs = fleet.runs(told.append)
    assert [run.path.name for run in runs] == ["one", "three"] and len(fleet.merge(runs)) == 2
    assert len(told) == 1 and told[0].startswith("two is left out: ") and "run.json" in told[0]


def test_no_file_is_written_outside_of_a_run(fleet):
    with pytest.raises(StoreError, match="outside of it"):
        fleet.mirror("one").add([("../../evil", b"")])
