"""What is behind a number, and the table of all cells, in a real Chromium."""

import csv
import io
import json

import pytest

from inferometer.results.metrics import THROUGHPUT

pytestmark = pytest.mark.browser

DRAWER = "#drawer"
CELL = "NVIDIA A2/onnxrt/fp32/64/host"


@pytest.fixture
def cell(results):
    (found,) = [
        s for s in results.summaries if (s.machine, s.row, s.cell.batch_size) == ("NVIDIA A2", "onnxrt", 64)
    ]
    return found


def column(opened, number):
    return opened.page.evaluate(
        "n => [...document.querySelectorAll('#all-cells tbody tr')].map(r => r.children[n].textContent)",
        number,
    )


def test_a_link_opens_what_is_behind_a_number(visit, report, cell):
    opened = visit(f"{report}#c={CELL.replace(' ', '+')}")
    drawer = opened.page.locator(DRAWER)
    text = drawer.inner_text()
    assert "onnxrt at batch size 64" in text and "3, each a fresh process" in text
    assert THROUGHPUT.show(cell.throughput.value) in text and "images/s" in text
    assert "by nvml (gpu)" in text and "logs/worker.log" in text
    again = drawer.locator("code").last.inner_text()
    assert again.endswith(
        "--frameworks onnxrt --precisions fp32 --batch-sizes 64 --device cuda:0 --modes host"
    )
    lines = {option.bounding_box()["height"] for option in drawer.locator("code >> text=/^--/").all()}
    assert len(lines) == 1, "no option is broken after its dashes"
    assert drawer.locator("svg[role=img]").count() == 2
    link = drawer.get_by_role("link", name="Link to this cell").get_attribute("href")
    assert link.startswith(report) and "c=NVIDIA+A2%2Fonnxrt%2Ffp32%2F64%2Fhost" in link
    opened.page.keyboard.press("Escape")
    assert not drawer.is_visible() and opened.page.evaluate("location.hash") == ""
    assert opened.complaints == []


def test_enter_on_a_number_opens_it_and_escape_leads_back(visit, report):
    opened = visit(report)
    page = opened.page
    first = page.locator("#s0-table-throughput td[tabindex='0']")
    assert first.count() == 1
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator(DRAWER).is_visible()
    assert page.evaluate("document.activeElement.textContent") == "Close"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('#s0-table-throughput td[data-cell]')")


def test_a_failed_cell_tells_its_cause(visit, report):
    opened = visit(report)
    opened.page.locator("#s0-table-throughput td.none", has_text="out-of-memory").first.click()
    assert "CUDA out of memory" in opened.page.locator(DRAWER).inner_text()


def test_all_cells_are_sorted_by_any_column_and_a_reload_keeps_it(visit, report, results):
    opened = visit(report)
    speed = opened.page.locator("#all-cells th", has_text="Throughput (images/s)")
    speed.get_by_role("button").click()
    place = opened.page.evaluate(
        "[...document.querySelectorAll('#all-cells th')].findIndex(h => h.textContent.startsWith('Throughput (images/s)'))"
    )
    values = [float(text.replace(",", "")) for text in column(opened, place) if text]
    assert values == sorted(values, reverse=True) and len(values) == sum(
        s.measured for s in results.summaries
    )
    assert column(opened, place)[-1] == ""  # what is not known comes last
    assert speed.get_attribute("aria-sort") == "descending"
    before = column(opened, 1)
    opened.page.reload()
    opened.drawn()
    assert column(opened, 1) == before
    speed.get_by_role("button").click()
    values = [float(text.replace(",", "")) for text in column(opened, place) if text]
    assert values == sorted(values) and column(opened, place)[-1] == ""


def test_cells_are_searched_by_words(visit, report):
    opened = visit(report)
    opened.page.locator("#cells-search").fill("onnxrt 64 a2")
    assert set(column(opened, 1)) == {"onnxrt"} and set(column(opened, 0)) == {"NVIDIA A2"}
    assert opened.page.evaluate("location.hash").startswith("#search=onnxrt+64+a2")
    opened.page.get_by_role("checkbox", name="onnxrt", exact=True).uncheck()
    assert column(opened, 1) == []


def test_what_is_copied_and_saved_is_what_is_shown(visit, report, results):
    opened = visit(report)
    opened.page.locator("#cells-search").fill("torch 64")
    rows = list(csv.DictReader(io.StringIO(opened.page.evaluate("cells.written('csv')"))))
    wanted = {
        s.machine: s.throughput.value
        for s in results.summaries
        if s.row == "torch" and s.cell.batch_size == 64
    }
    assert {row["Machine"]: float(row["Throughput (images/s)"]) for row in rows} == pytest.approx(
        wanted, rel=1e-4
    )
    lines = opened.page.evaluate("cells.written('markdown')").splitlines()
    assert len(lines) == 2 + len(rows) and lines[1].count("---") == lines[0].count("|") - 1
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="Save all as JSON").click()
    whole = json.loads(download.value.path().read_text())
    assert len(whole) == len(results.summaries)
    assert {cell["status"] for cell in whole} == {s.status for s in results.summaries}
    assert opened.complaints == []


def test_a_figure_is_saved_as_a_picture_that_stands_alone(visit, report):
    from PIL import Image

    opened = visit(report)
    block = opened.page.locator("#s0-memory")
    with opened.page.expect_download() as download:
        block.get_by_role("button", name="as SVG").click()
    text = download.value.path().read_text()
    assert text.startswith("<svg") and "onnxrt" in text and "var(--" not in text
    assert all(
        name in text for name in ("NVIDIA A2", "Tesla V100", "TITAN X")
    )  # every panel, one below the other
    with opened.page.expect_download() as download:
        block.get_by_role("button", name="as PNG").click()
    with Image.open(download.value.path()) as image:
        assert image.format == "PNG" and image.width > 900 and image.height > image.width / 2
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24)) > 20
    assert opened.complaints == []


def test_a_finding_links_to_the_cells_that_it_rests_on(visit, report, results):
    opened = visit(f"{report}#max-latency-ms=900")
    links = opened.page.locator(".findings .rests a")
    names = {s.name for s in results.summaries}
    assert links.count() > 3 and set(links.all_inner_texts()) <= names
    links.first.click()
    assert links.first.inner_text() in opened.page.locator(DRAWER).inner_text()
    assert "max-latency-ms=900" in opened.page.evaluate("location.hash")
    opened.page.keyboard.press("Escape")
    assert opened.page.evaluate("document.activeElement.matches('.rests a')")
