"""A run that lacks planned measurements says so wherever a winner could be read out of it."""

import json

import openpyxl
import pytest

from inferometer.cli import invoke
from inferometer.records import Skip
from inferometer.report.markdown import render_markdown
from inferometer.report.page.html import render
from inferometer.report.xlsx import write_workbook
from inferometer.results.completeness import unfinished
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter, read_run
from simulated_runs import cell, record, run

SOME = "incomplete: 3 of 4 planned measurements (a cell in one round) are missing"
NONE = "incomplete: nothing was measured yet of 4 planned measurements (a cell in one round)"
SKIPS = (Skip(cell("tensorrt"), "needs a GPU"),)
FORMATS = ["text", "csv", "json", "md", "html", "latex"]


@pytest.fixture
def folder(tmp_path):
    """Return a writer of a run of four planned measurements that holds the given records."""

    def write(records=(), skips=(), name="run"):
        planned = [record(cell(name), n) for name in ("onnxrt", "torch") for n in (0, 1)]
        writer = RunWriter.create(tmp_path / name, run(planned, skips=skips).info)
        for item in records:
            writer.append(item)
        return tmp_path / name

    return write


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("skips", [(), SKIPS])
def test_table_says_what_is_missing(folder, capsys, format_, skips):
    assert invoke(["table", "throughput", str(folder([record(cell("onnxrt"))])), "--format", format_]) == 0
    assert any(SOME in text.replace("\\", "") for text in capsys.readouterr())
    assert invoke(["table", "throughput", str(folder((), skips, "empty")), "--format", format_]) == 1
    assert NONE in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["text", "md"])
def test_recommend_says_what_is_missing(folder, capsys, format_):
    assert (
        invoke(["recommend", str(folder([record(cell("onnxrt"))])), "--format", format_]) == 1
    )  # no rival: no choice that the data carry
    assert (
        SOME.removeprefix("incomplete: ") in capsys.readouterr().out
    )  # the reason of the grade "preliminary"
    assert invoke(["recommend", str(folder((), SKIPS, "skipped")), "--format", format_]) == 1
    text = capsys.readouterr().out
    assert (
        NONE.removeprefix("incomplete: ") in text
        and "nothing to choose from" in text
        and "constraints" not in text
    )
    assert invoke(["recommend", str(folder(name="empty")), "--format", format_]) == 1
    assert NONE in capsys.readouterr().err


def test_recommend_says_so_in_json(folder, capsys):
    invoke(["recommend", str(folder([record(cell("onnxrt"))])), "--format", "json"])
    (found,) = json.loads(capsys.readouterr().out)
    assert found["choice"]["framework"] == "onnxrt"
    said = [reason["reason"] for reason in found["reasons"] if reason["grade"] == "preliminary"]
    assert len(said) == 1 and said[0].startswith(SOME.removeprefix("incomplete: "))


@pytest.mark.parametrize(("records", "words"), [([record(cell("onnxrt"))], SOME), ([], NONE)])
def test_report_says_so_beside_the_verdict(folder, tmp_path, records, words):
    results = summarise([read_run(folder(records))])
    page = render(results)
    assert page.count(f'<p class="notice">{words}') == 1
    if records:
        assert page.index('id="verdict"') < page.index(words) < page.index('<section class="verdict"')
    assert words.removeprefix("incomplete: ") in render_markdown(results, title="t")
    assert words not in render(results, live_tag="1")  # which has a bar of progress
    write_workbook(results, tmp_path / "x.xlsx")
    cells = [
        str(c.value) for sheet in openpyxl.load_workbook(tmp_path / "x.xlsx") for row in sheet for c in row
    ]
    assert any(words in text for text in cells) == bool(records)


def test_a_whole_run_says_nothing():
    whole = summarise([run([record(cell(), n) for n in (0, 1)])])
    assert unfinished(whole) == [] and "incomplete" not in render_markdown(whole, title="t")


def test_one_planned_measurement_is_no_several(tmp_path, capsys):
    RunWriter.create(tmp_path / "one", run([record(cell("onnxrt"), 0)]).info)
    invoke(["table", "throughput", str(tmp_path / "one")])
    assert (
        "nothing was measured yet of 1 planned measurement (a cell in one round)" in capsys.readouterr().err
    )
