"""One decision, whatever says it: page, Markdown, workbook, terminal, JSON, live page and Python are read back and compared."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner

from inferometer import load
from inferometer.cli.recommend import recommend_command
from inferometer.recommendation import wording
from inferometer.report.markdown import render_markdown
from inferometer.report.page.html import library, render
from inferometer.report.page.live import LiveFolder
from inferometer.report.xlsx import write_workbook
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs
from inferometer.storage.run_directory import RunWriter, read_run
from simulated_runs import BOARDS, cell, record, rounds_of, run, write_run

EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").rglob("run.json"))


def stored(path, records, **more):
    """Write records as a run directory."""
    made = run(records, **more)
    writer = RunWriter.create(path, made.info)
    for one in made.records:
        writer.append(one)
    return path


def two(first, second, **more):
    return [*rounds_of(cell("a"), first, **more), *rounds_of(cell("b"), second, **more)]


QUIET = [1000.0, 1001.0, 999.0]
MADE = {
    "firm": lambda path: stored(path, two(QUIET, [900.0, 901.0, 899.0], power_w=50.0)),
    "tie": lambda path: stored(path, two(QUIET, [1001.0, 999.5, 1000.0])),
    "weak": lambda path: stored(path, two([1000.0], [700.0], noise=0.001)),
    "preliminary": lambda path: stored(path, two(QUIET, [900.0, 901.0, 899.0]), rounds=4),
    "none": lambda path: stored(path, [record(cell("a"))]),
    "many": lambda path: write_run(path, BOARDS[0], frameworks=("tf", "onnxrt"), precisions=("fp32", "fp16"), modes=("host", "device")),
    "going": lambda path: write_run(path, BOARDS[1], frameworks=("tf", "onnxrt", "torch"), precisions=("fp32",), keep=40),
    "failed": lambda path: write_run(path, BOARDS[1], frameworks=("tfrt",), precisions=("fp32",), batch_sizes=(256, 512)),
}  # fmt: skip


def expected(result):
    """Return (what it says to use, the grade and reasons with all ties) of every decision, by the Python interface."""
    return [(wording.headline(d), wording.grade_sentence(d)) for d in result]


def by_page(text):
    """Return the same of a page."""
    text = html.unescape(text).replace("\u00a0", " ")
    blocks = re.findall(r'<section class="verdict" data-grade="([a-z]+)">(.*?)</section>', text, re.DOTALL)
    found = []
    for key, block in blocks:
        deploy = block[block.index("<dt>Deploy</dt>") :]
        head = re.search(r'<div class="pick">(.*?)</div>', deploy).group(1)
        grade = re.search(r'<div class="grade [a-z]+"><b>([a-z]+)</b>(.*?)\.</div>', deploy)
        assert grade.group(1) == key
        found.append((head, "".join(grade.groups())))
    return found


def by_text(text):
    """Return the same of the terminal's lines or of Markdown's."""
    joined = text.replace("\\", "")
    heads = re.findall(
        r"^[- ]+((?:so far )?use .+?|no verdict; .+?|no choice)(?:: .*)?$", joined, re.MULTILINE
    )
    grades = re.findall(r"^[- ]+verdict ((?:firm|tie|weak|preliminary|none): .*)$", joined, re.MULTILINE)
    return heads, grades


def by_workbook(results, path):
    write_workbook(results, path)
    rows = list(openpyxl.load_workbook(path)["Verdict"].iter_rows(min_row=2, values_only=True))
    return [(row[3], row[4]) for row in rows]


def assert_all_say_the_same(folder, tmp_path):
    results = summarise(read_runs([folder]))
    wanted = expected(load(folder).recommend())
    sorted_wanted = sorted(wanted)
    page = render(results).replace(library(), "")
    assert sorted(by_page(page)) == sorted_wanted
    assert sorted(by_page(LiveFolder(folder).snapshot().body.decode())) == sorted_wanted
    assert by_workbook(results, tmp_path / "x.xlsx") == wanted
    runner = CliRunner()
    asked = {
        name: runner.invoke(recommend_command, [str(folder), "--format", name], standalone_mode=False).output
        for name in ("text", "md", "json")
    }
    for text in (asked["md"], render_markdown(results, title="t")):
        assert by_text(text) == tuple(map(list, zip(*wanted, strict=True)))
    assert by_text(asked["text"]) == tuple(map(list, zip(*wanted, strict=True)))
    assert_json_says(json.loads(asked["json"]), load(folder).recommend())


def assert_json_says(rows, decisions):
    for row, decision in zip(rows, decisions, strict=True):
        assert row["grade"] == decision.grade
        assert [r["reason"] for r in row["reasons"]] == [r.words for r in decision.reasons]
        names = [
            (o["framework"], o["precision"], o["batch_size"])
            for o in filter(None, [row["choice"], *row["ties"]])
        ]
        cells = [o.summary.cell for o in filter(None, [decision.choice, *decision.ties])]
        assert names == [(c.framework, c.precision, c.batch_size) for c in cells]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: "-".join(path.parts[-2:]))
def test_every_output_says_the_same_of_an_example(path, tmp_path):
    assert_all_say_the_same(path, tmp_path)


@pytest.mark.parametrize("kind", MADE)
def test_every_output_says_the_same_of_a_simulated_run(kind, tmp_path):
    assert_all_say_the_same(MADE[kind](tmp_path / "run"), tmp_path)


@pytest.mark.parametrize("kind", ["firm", "tie", "weak", "preliminary", "none"])
def test_every_grade_is_reached(kind, tmp_path):
    (decision,) = load(MADE[kind](tmp_path / "run")).recommend()
    assert decision.grade == kind and wording.grade_sentence(decision).startswith(f"{kind}: ")
    assert bool(wording.remedies(decision)) == (kind != "firm")
    assert read_run(tmp_path / "run").records
