import csv
import io
import json
import re

import pytest
from click.testing import CliRunner
from rich.console import Console

from inferometer import tables
from inferometer.cli.table import table_command
from inferometer.errors import UsageError
from inferometer.records import Gpu, Machine, Record
from inferometer.report.figures.palette import Palette
from inferometer.report.page.tables import views_of
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter
from inferometer.tables.palette import PALETTES, ansi_style, colour, contrast
from inferometer.tables.text import to_text
from simulated_runs import cell, record, rounds_of, run

A2 = Machine(gpus=(Gpu(0, "GPU-2", "A2"),))


def two_machines():
    fast = [
        record(cell("tf"), rate=100.0, power_w=50.0),
        record(cell("onnxrt"), rate=300.0, power_w=60.0),
        record(cell("onnxrt", 16), rate=400.0, power_w=60.0),
        Record(cell("jax"), 0, "out-of-memory", cause="asked for 9 GiB, 1 GiB free"),
    ]
    slow = [
        record(cell("tf"), rate=120.0),
        record(cell("onnxrt"), rate=200.0),
        record(cell("onnxrt", 16), rate=210.0),
    ]
    return summarise([run(fast, "a"), run(slow, "b", machine=A2)])


def table(metric="throughput", **more):
    (built,) = tables.build(two_machines(), METRICS[metric], **more)
    return built


def at(built, size, label, machine):
    row = next(r for r in built.rows if (r.batch_size, r.label) == (size, label))
    return row.cells[built.machines.index(machine)]


def test_conventions_of_the_report():
    built = table()
    assert built.machines == ("H100", "A2")
    assert built.reference == "H100"  # wins 2 of 3
    assert at(built, 8, "onnxrt", "H100").shade == 1.0
    assert at(built, 8, "tf", "H100").shade == 0.0
    assert at(built, 8, "onnxrt", "A2").shade == pytest.approx(0.5)
    assert at(built, 16, "onnxrt", "A2").shade == 0.0  # other batch sizes do not count
    assert at(built, 16, "onnxrt", "H100").best_overall and not at(built, 8, "onnxrt", "H100").best_overall
    assert at(built, 8, "onnxrt", "H100").best and at(built, 8, "onnxrt", "A2").best
    assert at(built, 8, "jax", "A2") is None


def test_a_failed_cell_shows_status_and_cause_and_no_rank():
    built = table()
    failed = at(built, 8, "jax", "H100")
    assert (failed.text, failed.shade, failed.best) == ("out-of-memory", None, False)
    assert built.notes[failed.notes[0] - 1] == "asked for 9 GiB, 1 GiB free"


def test_a_tie_has_the_shade_of_the_best_and_one_mark_everywhere():
    rates = {"a": [100.0, 101.0, 99.0], "b": [99.5, 100.5, 98.9], "c": [50.0, 50.1, 49.9]}
    pair = [r for name in ("a", "b") for r in rounds_of(cell(name), rates[name])]
    palette = Palette(rates)
    for records, shades in (
        (pair, ["10", "10"]),
        (pair + rounds_of(cell("c"), rates["c"]), ["10", "10", "0"]),
    ):
        results = summarise([run(records)])
        for metric in ("throughput", "latency"):
            (built,) = tables.build(results, METRICS[metric])
            assert [cell.tie for row in built.rows for cell in row.cells][:2] == [True, True]
            ((_, rows),) = views_of(metric, results, palette)[0].groups
            assert re.findall(r'<td class="s(\d+)"', rows) == shades
            assert re.findall(r"<abbr .*?>(.)</abbr>", rows) == ["▲", "≈"]


def test_less_is_better_turns_the_colours_round():
    built = table("latency")
    assert at(built, 8, "onnxrt", "H100").shade == 1.0
    assert at(built, 8, "onnxrt", "H100").best
    assert built.scale.unit == "ms" and at(built, 8, "tf", "H100").text == "10.00"


def test_missing_energy_says_why():
    built = table("power")
    assert at(built, 8, "tf", "A2").text == "not metered"


def test_a_phase_has_numbers_and_sources_but_neither_marks_nor_colours(monkeypatch):
    (built,) = tables.build(two_machines(), METRICS["copy_in"], reference="H100")
    found = at(built, 8, "onnxrt", "H100")
    assert (found.text, built.scale.unit) == ("8.000", "ms")
    assert (found.shade, found.best, found.best_overall, built.reference) == (None, False, False, None)
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = rendered(built, force_terminal=True, color_system="truecolor")
    assert "8.000" in text and "★" not in text and "▲" not in text and "48;2" not in text
    assert "| 8.000 |" in tables.to_markdown(built)
    html = tables.to_html(built)
    assert '<td style="text-align:right">8.000</td>' in html and "background" not in html
    latex = tables.to_latex(built)
    assert "8.000" in latex and "cellcolor" not in latex
    rows = tables.long_rows(two_machines(), METRICS["copy_in"])
    assert (rows[0]["unit"], rows[0]["low"]) == ("s", None)
    assert rows[0]["source"] == "mean of 10 batches in 1 round"


def test_a_phase_that_was_not_sampled_says_why():
    records = [record(cell("openvino")), record(cell(mode="device")), record(cell(mode="host-pipelined"))]
    built = {t.mode: t for t in tables.build(summarise([run(records)]), METRICS["copy_in"])}
    assert all(table.is_empty for table in built.values())
    assert "the framework's call does not tell them apart" in built["host"].why_empty()
    assert built["device"].why_empty() == "nothing is copied in device mode"
    assert built["host-pipelined"].why_empty() == "the phases of batches in a pipeline overlap"


def test_reference_by_part_of_its_name_and_unknown():
    assert table(reference="h1").reference == "H100"
    with pytest.raises(UsageError, match="unknown machine 'V100'"):
        table(reference="V100")


def test_csv_is_exact_and_has_the_columns():
    results = two_machines()
    text = tables.to_csv(results, METRICS["throughput"])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert (
        text.splitlines()[0]
        == "batch_size,framework,precision,gpu,value,unit,low,high,source,status,metric,model,mode,device"
    )
    for row, summary in zip(rows, results.summaries, strict=True):
        if summary.status == "ok":
            assert float(row["value"]) == summary.throughput.value
        else:
            assert (row["value"], row["status"], row["source"]) == (
                "",
                "out-of-memory",
                "asked for 9 GiB, 1 GiB free",
            )


def test_json_reads_back():
    rows = json.loads(tables.to_json(two_machines(), METRICS["power"]))
    assert rows[0]["gpu"] == "H100" and rows[0]["value"] == pytest.approx(50.0)


def test_two_modes_are_two_tables_and_named_in_csv():
    results = summarise([run([record(cell()), record(cell(mode="device"))])])
    assert [t.mode for t in tables.build(results, METRICS["throughput"])] == ["host", "device"]
    assert (
        tables.to_csv(results, METRICS["throughput"])
        .splitlines()[0]
        .endswith("status,metric,model,mode,device")
    )


def hostile():
    evil = "<script>alert(1)</script>|_&%"
    return summarise(
        [run([Record(cell(evil), 0, "crashed", cause="<b>`|x\nline two"), record(cell(evil, 16))])]
    )


def test_markup_is_escaped_in_every_format():
    (built,) = tables.build(hostile(), METRICS["throughput"])
    html = tables.to_html(built)
    assert "<script>" not in html and "<b>`" not in html
    markdown = tables.to_markdown(built)
    assert "<script>" not in markdown and r"\|" in markdown
    table_lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in table_lines}) == 1
    assert r"\_\&\%" in tables.to_latex(built)


def rendered(built, width=200, few_colours=False, **console):
    out = Console(file=io.StringIO(), width=width, **console)
    signs = (out.encoding or "").lower().startswith("utf")
    for part in to_text(built, signs=signs, few_colours=few_colours):
        out.print(part)
    return out.file.getvalue()


def test_text_without_colour_still_marks_the_best(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = rendered(table())
    assert "\x1b" not in text
    assert "★" in text and "120.0" in text and "out-of-memory [1]" in text
    monkeypatch.setenv("NO_COLOR", "1")
    assert "48;2" not in rendered(table(), force_terminal=True, color_system="truecolor")
    monkeypatch.delenv("NO_COLOR")
    assert "48;2" in rendered(table(), force_terminal=True, color_system="truecolor")


def test_sixteen_colours_go_from_orange_to_green(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = [
        record(cell(name), rate=rate) for name, rate in (("slow", 1.0), ("middle", 60.0), ("quick", 100.0))
    ]
    (built,) = tables.build(summarise([run(rows)]), METRICS["throughput"])
    lines = rendered(built, few_colours=True, force_terminal=True, color_system="standard").splitlines()
    shown = {
        name: re.search(r"\x1b\[[\d;]*\b(4\d|10\d)m", line)[1]
        for line in lines
        for name in ("slow", "quick")
        if name in line
    }
    assert shown == {"slow": "43", "quick": "42"}  # yellow, which is orange in most terminals, and green
    assert [ansi_style(step / 4).split()[-1] for step in range(4)] == [
        "yellow",
        "bright_yellow",
        "bright_green",
        "green",
    ]


def test_further_lines_of_a_footnote_stand_below_its_words():
    lines = rendered(table(), width=16).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("[1] "))
    assert lines[start + 1].startswith("    ") and lines[start + 1].strip()


def test_intervals_are_shown_as_shares():
    results = summarise([run(rounds_of(cell(), [990.0, 1000.0, 1010.0]))])
    (built,) = tables.build(results, METRICS["throughput"])
    assert built.rows[0].cells[0].spread == "±2.5 %"
    assert "±2.5 %" in tables.to_markdown(built)
    assert "±" not in tables.to_markdown(built, intervals=False)


@pytest.mark.parametrize("palette", PALETTES)
def test_text_reads_on_every_shade(palette):
    for step in range(101):
        found = colour(step / 100, palette)
        assert contrast(found.background, found.text) >= 4.5


@pytest.mark.parametrize("format_", ["text", "csv", "json", "md", "html", "latex"])
def test_command_prints_every_format(tmp_path, format_):
    stored = run([record(cell())])
    writer = RunWriter.create(tmp_path / "runs" / "one", stored.info)
    for item in stored.records:
        writer.append(item)
    result = CliRunner().invoke(
        table_command, ["images-per-watt", str(tmp_path), "--format", format_], standalone_mode=False
    )
    assert result.exception is None and result.return_value == 1
    assert "no value: not metered" in result.output
    if format_ in ("csv", "json"):
        assert "onnxrt" in result.output
    else:
        assert result.output.count("\n") == 1


@pytest.mark.parametrize("format_", ["text", "csv", "json"])
def test_an_unknown_reference_is_refused_in_every_format(tmp_path, format_):
    stored = run([record(cell())])
    writer = RunWriter.create(tmp_path / "one", stored.info)
    for item in stored.records:
        writer.append(item)
    words = ["throughput", str(tmp_path), "--format", format_, "--reference", "bogus"]
    result = CliRunner().invoke(table_command, words, standalone_mode=False)
    assert isinstance(result.exception, UsageError) and "unknown machine 'bogus'" in str(result.exception)


@pytest.mark.parametrize("format_", ["text", "md", "html", "latex"])
def test_command_prints_a_table_in_every_format(tmp_path, format_):
    stored = run([record(cell(), power_w=50.0)])
    writer = RunWriter.create(tmp_path / "one", stored.info)
    for item in stored.records:
        writer.append(item)
    arguments = ["images-per-watt", str(tmp_path), "--format", format_]
    result = CliRunner().invoke(table_command, arguments, standalone_mode=False)
    assert result.return_value == 0 and "onnxrt" in result.output and "20.0" in result.output
