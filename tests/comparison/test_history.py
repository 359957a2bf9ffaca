"""A metric over runs in time, and where it changed."""

import csv
import io
import re

import msgspec
import numpy as np
from click.testing import CliRunner
from rich.console import Console

import simulated_runs as simulated
from inferometer.cli.history import history_command
from inferometer.comparison.history import history as lines_of
from inferometer.comparison.history_render import to_csv, to_text
from inferometer.records import Loop
from inferometer.results.metrics import THROUGHPUT
from inferometer.results.metrics.latency import P99
from inferometer.storage.find import read_runs
from inferometer.storage.merge import merge
from inferometer.storage.merge import write as save
from nightly_runs import write


def history(*arguments):
    return CliRunner().invoke(history_command, [str(a) for a in arguments], standalone_mode=False)


def nightly(tmp_path):
    for day in range(1, 5):
        write(tmp_path / "runs", day)
    for day in range(5, 9):
        write(tmp_path / "runs", day, 0.9, version="2.0")
    return tmp_path / "runs"


def of_a_day(day, logs):
    """Return a run of a day with rounds of these logarithms beside 1,000 images/s."""
    cell = simulated.cell("onnxrt")
    rates = [1000 * np.exp(log) for log in logs]
    made = simulated.run(simulated.rounds_of(cell, rates))
    info = msgspec.structs.replace(made.info, created_at=f"2026-11-{day + 1:02}T03:00:00Z")
    return type(made)(made.path, info, made.records)


def test_a_step_is_one_change_at_the_run_where_it_came(tmp_path):
    found = history(nightly(tmp_path))
    changes = [line for line in found.output.splitlines() if ": slower" in line or ": faster" in line]
    assert found.return_value == 0
    assert len(changes) == 3
    assert all(re.search(r"2026-11-05, 2\.0: slower, -10\.", line) for line in changes)
    assert "1.0, 2.0" in found.output


def test_cells_of_one_name_are_told_apart_by_what_differs():
    machine = simulated.GPU_MACHINE
    fewer = msgspec.structs.replace(machine, usable_cores=2, hostname="other")
    rounds = simulated.rounds_of(simulated.cell("onnxrt"), [1000.0, 1001.0])
    first = simulated.run(rounds, "a", model_hash="abcdef0123")
    other = simulated.run(rounds, "b", model_hash="0123abcdef")
    smaller = simulated.run(rounds, "c", fewer, model_hash="abcdef0123")

    def titles(*runs):
        found = lines_of(runs, THROUGHPUT)
        return [found.title_of(line).partition("cuda:0")[2] for line in found.lines]

    assert titles(first) == [""]
    assert titles(first, other) == [" (abcdef01)", " (0123abcd)"]
    cores = f"{machine.usable_cores} CPUs, {machine.hostname or 'unknown host'}"
    assert titles(first, smaller) == [f" ({cores})", " (2 CPUs, other)"]
    rows = [line.split(",") for line in to_csv(lines_of([first, other], THROUGHPUT)).splitlines()]
    assert [row[-1] for row in rows] == ["model_hash", "abcdef0123", "0123abcdef"]


def test_a_cell_without_the_metric_says_why_instead():
    made = simulated.run(simulated.rounds_of(simulated.cell("onnxrt"), [1000.0, 1001.0]))
    device = [
        msgspec.structs.replace(
            r,
            cell=msgspec.structs.replace(r.cell, mode="device"),
            loops=tuple(Loop(x.elapsed_s, ()) for x in r.loops),
        )
        for r in made.records
    ]
    run = type(made)(made.path, msgspec.structs.replace(made.info, cells=(device[0].cell,)), tuple(device))
    (line,) = to_csv(lines_of([run], P99)).splitlines()[1:]
    assert ",p99,s,,,," in line
    console = Console(width=200, file=io.StringIO())
    console.print(*to_text(lines_of([run], P99)))
    assert console.file.getvalue().count("not timed") == 2


def test_csv_has_a_row_a_cell_and_run(tmp_path):
    rows = list(
        csv.DictReader(
            io.StringIO(history(nightly(tmp_path), "--format", "csv", "--framework", "torch").output)
        )
    )
    assert [row["created_at"][8:10] for row in rows] == [f"{day:02}" for day in range(1, 9)]
    assert {row["framework"] for row in rows} == {"torch"}
    assert [row["verdict"] == "worse" for row in rows] == [day == 5 for day in range(1, 9)]
    assert float(rows[0]["low"]) < float(rows[0]["value"]) < float(rows[0]["high"])


def test_what_no_run_has_is_said(tmp_path):
    folder = nightly(tmp_path)
    for option, name, kind in (
        ("--framework", "tf", "framework"),
        ("--model", "none", "model"),
        ("--machine", "H9", "machine"),
    ):
        assert f"unknown {kind} '{name}'" in str(history(folder, option, name).exception)
    assert "does not exist" in str(history(tmp_path / "none").exception)


def test_what_was_merged_of_runs_that_are_here_is_no_run_of_its_own(tmp_path):
    folder = nightly(tmp_path)
    alone = history(folder).output
    save(merge(read_runs([folder / "day-1", folder / "day-5"])), folder / "merged")
    found = history(folder)
    assert [line for line in found.output.splitlines() if "left out" not in line] == alone.splitlines()
    save(merge(read_runs([folder / "day-1", folder / "day-2"])), tmp_path / "elsewhere" / "merged")
    assert history(tmp_path / "elsewhere").return_value == 0, "a pool alone is all that there is"


def test_the_page_is_one_file_that_runs_only_its_own_scripts(tmp_path):
    out = tmp_path / "history.html"
    hostile = "<img src=x onerror=alert(1)>"
    write(tmp_path / "runs", 9, frameworks=(hostile, "onnxrt"))
    assert history(nightly(tmp_path), "--out", out).return_value == 0
    page = out.read_text()
    assert hostile not in page
    assert page.count('<figure id="line-') == 4
    assert "default-src 'none'; script-src 'sha256-" in page.replace("&#39;", "'")
    assert not re.search(r'(?:src|href)="(?!data:|#)', page.split("<script", 1)[0])


def test_a_history_of_nothing_seldom_shows_a_change():
    """Forty histories of a dozen equal runs: judged each at 5 %, every third would show one."""
    rng = np.random.default_rng(3)
    shown = 0
    for _ in range(40):
        runs = [of_a_day(day, rng.normal(0, 0.01, 3)) for day in range(12)]
        (line,) = lines_of(runs, THROUGHPUT).lines
        shown += bool(line.changes)
    assert shown <= 5  # of 2 expected at most
