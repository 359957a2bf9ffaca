"""Run directories with a figure or a byte that is not as written: read as far as they mean something, else one line."""

import json
import re

import pytest

from inferometer import tables
from inferometer.cli import invoke
from inferometer.errors import StoreError
from inferometer.recommendation.recommend import recommend
from inferometer.report.page.live import LiveFolder
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from inferometer.tables.overview import flat_rows
from simulated_runs import BOARDS, write_run

VALUES = (None, 0, -1, 10**12, -1.5, "", "x", [], [None], {})


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "runs" / "damaged"
    write_run(path, BOARDS[0], frameworks=("onnxrt", "torch"), precisions=("fp32",), batch_sizes=(8,))
    return path


def change(path, change_it):
    """Rewrite run.json, or the first record of cells.jsonl, as ``change_it`` leaves it."""
    first, *rest = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    data = json.loads(first)
    change_it(data)
    path.write_text("\n".join([json.dumps(data), *rest]) + "\n")


def spoil(path):
    """Put a byte that no UTF-8 text has into the first value of a file that is a string."""
    path.write_bytes(re.sub(rb'": ?"', lambda found: found[0] + b"\xe9", path.read_bytes(), count=1))


@pytest.mark.parametrize("name", ["run.json", "cells.jsonl"])
def test_a_byte_that_is_no_utf_8_is_damage_like_any_other(run, name, tmp_path, capsys):
    whole = tmp_path / "runs" / "whole"
    write_run(whole, BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,))
    spoil(run / name)
    for words in (
        ["show", run], ["table", "throughput", run], ["recommend", run], ["compare", whole, run],
        ["report", run, "--out", tmp_path / "r.html"], ["merge", run, whole, "--out", tmp_path / "m"], ["run", "--resume", run],
    ):  # fmt: skip
        assert invoke([str(word) for word in words]) == 1
        error = capsys.readouterr().err
        assert str(run / name) in error and "damaged" in error and error.count("\n") == 1
    page = LiveFolder(tmp_path / "runs").snapshot().page.decode()
    assert "Left out" in page and "NVIDIA A2" in page


@pytest.mark.parametrize(
    ("name", "change_it"),
    [
        ("cells.jsonl", lambda record: record["cell"].update(batch_size=0)),
        ("cells.jsonl", lambda record: record["loops"][0].update(elapsed_s=-1.0)),
        ("cells.jsonl", lambda record: record.update(round=10**12)),
        ("run.json", lambda info: info["protocol"].update(rounds=10**12)),
        ("run.json", lambda info: info["model"].update(inputs=[{"name": "x", "shape": None}])),
        ("run.json", lambda info: info["model"].update(inputs=[{"name": "x", "shape": 3}])),
    ],
)
def test_a_figure_that_cannot_be_is_named(run, name, change_it):
    change(run / name, change_it)
    with pytest.raises(StoreError, match=r"damaged.*\$\."):
        read_run(run)


def test_a_damaged_request_is_no_reason_not_to_show_a_run_but_it_cannot_go_on(run, capsys):
    for request in ({"protocol": [1]}, {"protocol": {"rounds": "x"}}, {"batch_sizes": 8}):
        change(run / "run.json", lambda info, request=request: info.update(request=request))
        assert invoke(["show", str(run)]) == 0
        capsys.readouterr()
        assert invoke(["run", "--resume", str(run)]) == 1
        assert "damaged request" in capsys.readouterr().err


def places(node, at=()):
    """Yield the place of every value of JSON data; of a list its first."""
    if at:
        yield at
    below = node.items() if isinstance(node, dict) else enumerate(node[:1]) if isinstance(node, list) else ()
    for key, value in below:
        yield from places(value, (*at, key))


def put(data, at, value):
    """Return a copy of JSON data with ``value`` at a place."""
    copy = json.loads(json.dumps(data))
    node = copy
    for key in at[:-1]:
        node = node[key]
    node[at[-1]] = value
    return copy


@pytest.mark.parametrize("name", ["run.json", "cells.jsonl"])
def test_any_value_anywhere_is_read_or_refused(run, name):
    path = run / name
    first, *rest = [path.read_text()] if name == "run.json" else path.read_text().splitlines()
    data = json.loads(first)
    for at in places(data):
        for value in VALUES:
            path.write_text("\n".join([json.dumps(put(data, at, value)), *rest]) + "\n")
            try:
                results = summarise([read_run(run)])
            except StoreError as error:
                assert "\n" not in str(error)
            else:
                flat_rows(results)
                tables.build(results, tables.metric_named("throughput"))
                recommend(results)
