"""What fleets and bundles bring to a machine's cache is listed, and pruned unless it is in use."""

import os
import time

import pytest

from inferometer.cli import invoke
from inferometer.fleet import goods
from inferometer.fleet.agent import Agent
from inferometer.planning.request import make_request
from inferometer.storage.run_directory import alone_in
from travelled import bundle_of, sent, unbundled


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """A cache with a part of a fleet's run, the file that it measured, half of another, and a bundle's; the file's key."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("INFEROMETER_CACHE", str(cache))
    model = tmp_path / "net.onnx"
    model.write_bytes(b"model" * 1000)
    good = goods.given_good(model)
    sent(good)
    goods.Incoming(good.place, "0" * 32, "half").add(b"half")
    unbundled(bundle_of(make_request(str(model)), tmp_path / "bundle"))
    part = cache / "fleet" / "fleet-1a2b3c4d" / "node"
    (part / "run").mkdir(parents=True)
    (part / "fleet.json").write_text("{}")
    (part / "request.json").write_text(f'{{"model": "{goods.placed_at(good.key, "net.onnx")}"}}')
    (part / "run" / "cells.jsonl").write_bytes(b"c" * 2000)
    return cache, good.key


def aged(cache):
    then = time.time() - 60 * 86_400
    for path in [*cache.rglob("*")]:
        os.utime(path, (then, then))


def left(cache):
    """Return what is left of each kind, locks aside."""
    kinds = ("fleet", "fleet-files", "fleet-incoming", "bundled")
    return [kind for kind in kinds if [path for path in cache.glob(f"{kind}/*") if path.suffix != ".lock"]]


def test_each_is_listed_as_what_it_is(brought, capsys):
    _, key = brought
    assert invoke(["cache", "list"]) == 0
    out = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert any(row.startswith("fleet part fleet-1a2b3c4d/node") and "KiB" in row for row in rows)
    assert any(row.startswith(f"fleet file {key} (net.onnx) 4.88 KiB") for row in rows)
    assert any(row.startswith("fleet piece fleet-files-000000") for row in rows)
    assert any(row.startswith("bundled file ") and "(net.onnx)" in row for row in rows)
    assert "4 items" in out


def test_what_was_not_used_goes_and_what_was_stays(brought, capsys):
    cache, key = brought
    assert invoke(["cache", "prune", "--older-than", "30d"]) == 0
    assert "freed 0 B" in capsys.readouterr().out
    aged(cache)
    goods.is_here(goods.GIVEN, key)  # a fleet asks
    invoke(["cache", "prune", "--older-than", "30d"])
    assert "removed fleet part fleet-1a2b3c4d/node" in capsys.readouterr().out
    assert left(cache) == ["fleet-files"]
    aged(cache)
    invoke(["cache", "prune", "--older-than", "30d"])
    assert left(cache) == []


def test_a_part_that_is_measured_stays_with_its_file(brought, capsys):
    cache, _ = brought
    with alone_in(cache / "fleet" / "fleet-1a2b3c4d" / "node" / "run"):
        aged(cache)
        assert invoke(["cache", "prune", "--older-than", "30d"]) == 0
        err = capsys.readouterr().err
        assert "kept fleet part fleet-1a2b3c4d/node: another process is measuring into" in err
        assert "kept fleet file" in err and "fleet-1a2b3c4d/node is being measured with it" in err
        assert left(cache) == ["fleet", "fleet-files"]
    aged(cache)
    invoke(["cache", "prune", "--older-than", "30d"])
    assert left(cache) == []


def test_what_has_just_come_is_kept_for_the_part_that_is_about_to_begin(brought, capsys):
    cache, _ = brought
    invoke(["cache", "prune", "--older-than", "0h"])
    assert capsys.readouterr().err.count("it was used less than 10 minutes ago") == 3
    assert left(cache) == ["fleet", "fleet-files", "fleet-incoming"]


def test_a_part_that_is_gone_on_with_is_young_again(brought):
    cache, _ = brought
    aged(cache)
    Agent("fleet-1a2b3c4d", "node", process=None)
    invoke(["cache", "prune", "--older-than", "30d"])
    assert left(cache) == ["fleet"]


def test_a_bundles_file_that_was_read_is_young_again(brought):
    cache, _ = brought
    aged(cache)
    [file] = cache.glob("bundled/*/net.onnx")
    os.utime(file, (time.time(), 0))  # as reading it does, where the file system is told to note that
    invoke(["cache", "prune", "--older-than", "30d"])
    assert left(cache) == ["bundled"]


def test_a_file_that_is_not_what_was_sent_is_damaged(brought, capsys):
    cache, key = brought
    assert invoke(["cache", "verify"]) == 0
    assert capsys.readouterr().out == "1 item read, 0 damaged\n"
    goods.placed_at(key, "net.onnx").write_bytes(b"other")
    aged(cache)
    assert invoke(["cache", "verify"]) == 1
    assert "net.onnx): its content is not what was sent" in capsys.readouterr().out
    assert not goods.is_here(goods.GIVEN, key)
