import openpyxl
import pytest

from inferometer.cli import invoke
from inferometer.errors import StoreError
from inferometer.records import Gpu, Machine, Record
from inferometer.report.markdown import render_markdown, write_markdown
from inferometer.report.xlsx import write_workbook
from inferometer.results.summary import summarise
from simulated_runs import BOARDS, cell, rounds_of, run, write_run


def sample():
    evil = cell("=HYPERLINK(1)|<script>")
    fast = [
        *rounds_of(cell("tf"), [100.0] * 2, power_w=50.0),
        *rounds_of(cell("onnxrt"), [300.0] * 2, power_w=60.0),
        Record(evil, 0, "crashed", cause="<b>x</b>"),
    ]
    slow = [*rounds_of(cell("tf"), [120.0] * 2), *rounds_of(cell("onnxrt"), [200.0] * 2)]
    return summarise([run(fast, "a"), run(slow, "b", machine=Machine(gpus=(Gpu(0, "x", "A2"),)))])


def test_workbook_keeps_numbers_colours_and_marks(tmp_path):
    write_workbook(sample(), tmp_path / "x.xlsx")
    book = openpyxl.load_workbook(tmp_path / "x.xlsx")
    assert book.sheetnames[0] == "throughput" and "Findings" in book.sheetnames
    sheet = book["throughput"]
    rows = {row[1].value: row for row in sheet.iter_rows(min_row=3, max_row=5)}
    best = rows["onnxrt"][2]
    assert best.value == pytest.approx(300.0) and best.font.bold
    assert best.fill.fgColor.rgb == "0046A055" and rows["tf"][2].fill.fgColor.rgb == "00F0963C"
    assert best.number_format == '"*"#,##0.0" ★"'  # beats A2, the reference with as many wins
    assert rows["tf"][3].value == pytest.approx(120.0) and not rows["tf"][3].font.bold
    assert rows["'=HYPERLINK(1)|<script>"][2].value == "crashed [1]"
    assert all(c.data_type != "f" for row in sheet.iter_rows() for c in row)


def test_all_cells_are_a_sheet_that_can_be_filtered(tmp_path):
    results = sample()
    write_workbook(results, tmp_path / "x.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "x.xlsx")["Cells"]
    titles = [cell.value for cell in sheet[1]]
    assert sheet.auto_filter.ref == sheet.dimensions and sheet.max_row == 1 + len(results.summaries)
    at = {name: titles.index(name) for name in ("Framework", "Machine", "Status", "Throughput [images/s]")}
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    found = {(r[at["Framework"]], r[at["Machine"]]): r[at["Throughput [images/s]"]] for r in rows}
    assert {s.throughput.value for s in results.summaries if s.throughput} == set(found.values()) - {None}
    assert found["'=HYPERLINK(1)|<script>", "H100"] is None and rows[0][-1] in (None, "")
    assert all(c.data_type != "f" for row in sheet.iter_rows() for c in row)


def test_workbook_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(StoreError, match="cannot write"):
        write_workbook(sample(), tmp_path / "no" / "x.xlsx")


def test_markdown_report_has_its_parts_escaped(tmp_path):
    text = render_markdown(sample(), title="a | b <i>")
    for part in ("### Verdict", "### Findings", "### Runs", "Throughput \\[images/s\\]", "Power \\[W\\]"):
        assert part in text
    assert "<script>" not in text and "<b>" not in text and "<i>" not in text
    write_markdown(sample(), tmp_path / "r.md", title="t")
    assert (tmp_path / "r.md").read_text().startswith("## t")
    with pytest.raises(StoreError):
        write_markdown(sample(), tmp_path / "no" / "r.md", title="t")


def test_the_reference_is_the_one_that_was_asked_for(tmp_path):
    assert "beats A2" in render_markdown(sample(), title="t", reference="A2")
    assert "beats H100" in render_markdown(sample(), title="t", reference="H100")
    write_workbook(sample(), tmp_path / "x.xlsx", reference="H100")
    sheet = openpyxl.load_workbook(tmp_path / "x.xlsx")["throughput"]
    assert any("beats H100" in str(c.value) for row in sheet.iter_rows() for c in row)


@pytest.mark.parametrize("option", ["--md", "--xlsx", "--static", "--out"])
def test_a_report_refuses_an_unknown_reference_in_every_form(option, tmp_path, capsys):
    write_run(tmp_path / "run", BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,))
    target = tmp_path / "written"
    assert invoke(["report", str(tmp_path / "run"), option, str(target), "--reference", "bogus"]) == 2
    assert "unknown machine 'bogus'" in capsys.readouterr().err and not target.exists()
