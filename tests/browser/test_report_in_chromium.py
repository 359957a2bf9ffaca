"""The report as a reader meets it: in a real Chromium, driven by Playwright."""

import itertools
import re
import shutil
import subprocess

import pytest

import simulated_runs as simulated
from inferometer.report.page.html import write_report
from inferometer.storage.run_directory import RunWriter
from live_server import serving
from parts import missing
from report_fixtures import SECTIONS

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_request_leaves_and_nothing_complains(visit, report, scheme):
    opened = visit(report, color_scheme=scheme)
    opened.page.mouse.wheel(0, 20000)
    opened.page.locator("input[name=framework]").first.uncheck()
    opened.drawn()
    assert opened.requests == [report]
    assert opened.complaints == []


def test_every_figure_is_drawn(visit, report):
    opened = visit(report)
    plots = opened.page.locator(".plot, .frontier")
    assert plots.count() == opened.page.locator(":is(.plot, .frontier) > :is(svg, figure)").count() > 10
    empty = opened.page.evaluate(
        "[...document.querySelectorAll('.plot, .frontier')].filter(p => !p.querySelector('[aria-label=dot] > *, [aria-label=rule] > *'))"
        ".map(p => p.dataset.figure)"
    )
    assert empty == []
    assert opened.page.locator(".plot[data-series='']").count() == 0


def test_unticking_a_framework_hides_it_in_figures_and_tables(visit, report):
    opened = visit(report)
    figures = [
        "s0-power-throughput-0",
        "s0-throughput-by-batch-0",
        "s0-energy-by-framework-0",
        "s0-latency-distribution-0",
    ]
    assert all("onnxrt" in opened.names(figure) for figure in figures)
    rows = opened.page.locator("#s0-table-throughput tr", has_text="onnxrt")
    assert rows.first.is_visible()
    opened.page.get_by_role("checkbox", name="onnxrt", exact=True).uncheck()
    opened.drawn()
    for figure in figures:
        assert "onnxrt" not in opened.names(figure)
        assert "torch" in opened.names(figure)
    assert not any(rows.nth(i).is_visible() for i in range(rows.count()))
    assert "onnxrt" not in opened.ticks("s0-energy-by-framework-0", "y")
    assert opened.page.locator("summary [data-count]").inner_text() == "6 of 7 shown"
    opened.page.get_by_role("button", name="All", exact=True).click()
    opened.drawn()
    assert "onnxrt" in opened.names(figures[0])
    assert rows.first.is_visible()


def test_the_keyboard_alone_toggles_a_framework(visit, report):
    opened = visit(report)
    opened.page.get_by_role("checkbox", name="keras", exact=True).focus()
    opened.page.keyboard.press("Space")
    opened.drawn()
    assert "keras" not in opened.names("s0-power-throughput-0")
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.getAttribute('aria-label')") == "onnxrt"
    outline = opened.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_log_axes_and_batch_sizes_can_be_chosen(visit, report):
    opened = visit(report)
    figure = opened.page.locator("#s0-power-throughput")
    assert "0" in opened.ticks("s0-power-throughput-0", "y")
    figure.get_by_label("Logarithmic power").check()
    assert "0" not in opened.ticks("s0-power-throughput-0", "y")
    before = opened.ticks("s0-power-by-framework-0", "x")
    opened.page.locator("#s0-power").get_by_label("Batch size").select_option("8")
    assert opened.ticks("s0-power-by-framework-0", "x") != before


PARTS = """([size, share]) => {
  const chart = JSON.parse(document.getElementById('page-details').textContent).figures['s0-phases-0'];
  return chart.series.flatMap((s) => s.points.filter(p => p[0] === size).map(p => [s.name, figures.partsOf(p, share)]));
}"""


def test_bars_of_phases_are_those_of_the_notebook(visit, report, results):
    from inferometer.report.figures import plotly_figure

    opened = visit(report)
    drawn = opened.page.evaluate(PARTS, [128, True])
    theirs = [t for t in plotly_figure.figure(results, "phases", machine="NVIDIA A2").data if t.x != (None,)]
    assert [name for name, _ in drawn] == [t.name for t in theirs] == opened.names("s0-phases-0")
    for (_, parts), wanted in zip(drawn, theirs, strict=True):
        assert [part["x2"] - part["x1"] for part in parts] == pytest.approx(list(wanted.x), rel=1e-3)
        assert [part["x1"] for part in parts] == pytest.approx(list(wanted.base), rel=1e-3, abs=1e-9)
        assert [part["total"] for part in parts] == list(wanted.text)
        assert [part["part"] for part in parts] == ["copy in", "compute", "copy out"]


def test_phases_can_be_seen_as_milliseconds_at_any_batch_size(visit, report, results):
    opened = visit(report)
    figure = opened.page.locator("#s0-phases")
    title = opened.page.locator("[data-figure=s0-phases-0] [aria-label='x-axis label']")
    assert title.text_content() == "Share of time, batch size 128 (%) →"
    figure.get_by_label("Batch size").select_option("512")
    figure.get_by_label("As shares").uncheck()
    assert title.text_content() == "Time, batch size 512 (ms) →"
    assert "onnxrt" in opened.names("s0-phases-0") and "torch" not in opened.names(
        "s0-phases-0"
    )  # out of memory at 512
    (cell,) = [
        s for s in results.summaries if (s.machine, s.row, s.cell.batch_size) == ("NVIDIA A2", "onnxrt", 512)
    ]
    wanted = [1e3 * cell.phases[name].value for name in ("copy_in", "compute", "copy_out")]
    parts = dict(opened.page.evaluate(PARTS, [512, False]))["onnxrt"]
    assert [part["ms"] for part in parts] == pytest.approx(wanted, rel=1e-4)


def test_everything_has_a_name_for_screen_readers(visit, report):
    opened = visit(report)
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll('input, select, button, [role=img], [role=region], nav, details > summary')]
        
        .filter(e => !(e.getAttribute('aria-label') || e.innerText
            || (e.labels && [...e.labels].some(l => l.innerText.trim()))))
        .map(e => e.outerHTML)"""
    )
    assert nameless == []
    plot = opened.page.get_by_role(
        "img", name=re.compile("Power against throughput on NVIDIA A2: 7 frameworks")
    )
    assert plot.count() == 1
    headings = opened.page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map(h => +h.tagName[1])"
    )
    assert headings[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(headings))
    ids = opened.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_the_data_of_a_figure_open_as_a_table(visit, report, results):
    opened = visit(report)
    table = opened.data("#s0-power-throughput-data")
    assert table.locator("thead th").all_inner_texts() == [
        "Framework", "Precision", "Batch size", "Throughput (images/s)", "Power (W)", "Low", "High",
    ]  # fmt: skip
    metered = [s for s in results.summaries if s.machine == "NVIDIA A2" and s.power]
    assert table.locator("tbody tr").count() == len(metered)
    assert "Median" in opened.data("#s0-latency-distribution-data").locator("thead").inner_text()


def test_one_machine_at_phone_width_scrolls_down_only(visit, report):
    opened = visit(report, viewport={"width": 375, "height": 800}, has_touch=True, is_mobile=True)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 375
    widths = opened.page.evaluate(
        "[...document.querySelectorAll(':is(.plot, .frontier) svg')].map(s => s.getBoundingClientRect().right)"
    )
    assert max(widths) <= 375


def test_colour_blind_shading_can_be_chosen(visit, report):
    opened = visit(report)
    colour = "getComputedStyle(document.querySelector('td.s10')).backgroundColor"
    before = opened.page.evaluate(colour)
    opened.page.get_by_label("Colour-blind safe").check()
    assert opened.page.evaluate(colour) != before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_printed_page_is_complete(visit, report, results, tmp_path, scheme):
    if not shutil.which("pdftotext"):
        missing("pdftotext (apt-get install poppler-utils)")
    opened = visit(report, color_scheme=scheme)
    opened.page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=False)
    text = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "report.pdf", "-"], check=True, capture_output=True, text=True
    ).stdout
    for heading in SECTIONS:
        assert re.search(rf"^\W*{heading}$", text, re.MULTILINE), heading
    for table in ("Throughput", "Power", "Energy per image", "Peak memory"):
        assert re.search(rf"^\W*{table} ", text, re.MULTILINE), table
    assert text.count("Batch size 512") == opened.page.locator("details.metric").count()
    titles = opened.page.locator(".figure-block h3").all_inner_texts()
    assert all(title in text for title in titles)
    axes = opened.page.locator(".plot [aria-label='x-axis label']").all_text_contents()
    assert len(axes) == opened.page.locator(".plot").count()
    for title in set(axes):
        assert text.count(title.removesuffix(" →")) >= axes.count(title)
    assert "CUDA out of memory" in text
    summary, behind, *_ = text.split("\f")  # the first page is the summary, whole
    machines = opened.page.locator(".answer").count()
    assert machines > 1 and len(re.findall("^On .*: use ", summary, re.MULTILINE)) == machines
    assert summary.count("Latency of a batch (ms)") == machines
    assert "How the verdicts came about" in behind


def test_printed_figures_fit_the_paper_and_are_drawn_in_ink(visit, report):
    opened = visit(report, color_scheme="dark")
    widths = "[...new Set([...document.querySelectorAll(':is(.plot, .frontier) svg')].map(s => s.getAttribute('width')))]"
    inks = "[...new Set([...document.querySelectorAll(':is(.plot, .frontier) svg')].map(s => s.style.color))]"
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate(widths) == ["660"]
    assert opened.page.evaluate(inks) == ["rgb(27, 31, 35)"]
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.evaluate(inks) == ["rgb(232, 234, 237)"]
    assert opened.page.locator("details.metric[open]").count() == 1


def test_hostile_names_do_not_run(visit, hostile, tmp_path):
    url = write_report(hostile, tmp_path / "report.html", title="<script>window.hacked=1</script>").as_uri()
    opened = visit(url)
    for details in opened.page.locator("details").all():
        details.evaluate("d => { d.open = true; }")
    opened.page.locator("[data-figure=s0-throughput-by-batch-0] [aria-label=dot] > *").first.hover(force=True)
    assert opened.page.evaluate("window.hacked") is None
    assert opened.requests == [url]
    assert opened.complaints == []
    shown = opened.page.locator("#s0-table-throughput").inner_text()
    assert "<script>window.hacked=1</script>" in shown
    assert "{{ 7*7 }}" in shown
    assert any("<" in label for label in opened.ticks("s0-throughput-by-framework-0", "y"))


def test_inserted_scripts_are_refused_by_the_policy(visit, report):
    opened = visit(report)
    opened.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s);"
        " document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked=1\">'); }"
    )
    assert opened.page.evaluate("window.hacked") is None
    assert all("Content Security Policy" in text for text in opened.complaints)
    assert opened.complaints


@pytest.fixture
def served(tmp_path):
    simulated.write_run(
        tmp_path / "run",
        simulated.BOARDS[0],
        frameworks=("onnxrt", "torch"),
        precisions=("fp32",),
        rounds=2,
        keep=20,
    )
    with serving(tmp_path) as server:
        yield tmp_path, server


def test_the_live_page_follows_without_losing_the_readers_place(visit, served):
    folder, server = served
    opened = visit(server.url)
    page = opened.page
    page.get_by_role("checkbox", name="torch", exact=True).uncheck()
    page.locator("#s0-table-latency summary").click()
    page.locator("#s0-power").get_by_label("Batch size").select_option("64")
    page.locator("#s0-power").scroll_into_view_if_needed()
    page.evaluate("document.getElementById('s0-power').scrollIntoView({block: 'start'})")
    place = page.evaluate("document.getElementById('s0-power').getBoundingClientRect().top")
    simulated.write_run(
        folder / "second", simulated.BOARDS[1], frameworks=("keras", "onnxrt", "torch"), precisions=("fp32",)
    )
    page.locator("nav").get_by_text("Machines").wait_for()
    page.get_by_role("heading", name="Tesla V100-PCIE-32GB").first.wait_for(state="attached")
    opened.drawn()
    assert not page.get_by_role("checkbox", name="torch", exact=True).is_checked()
    assert page.get_by_role("checkbox", name="keras", exact=True).is_checked()
    assert page.locator("#s0-table-latency").get_attribute("open") is not None
    assert page.locator("#s0-power").get_by_label("Batch size").input_value() == "64"
    after = page.evaluate("document.getElementById('s0-power').getBoundingClientRect().top")
    assert abs(after - place) < 3
    assert "torch" not in opened.names("s0-throughput-by-framework-0")
    assert page.locator("#live").inner_text().startswith("Live")
    assert {url.removeprefix(server.url) for url in opened.requests} == {"", "body"}
    assert opened.complaints == []


def test_progress_moves_as_cells_end(visit, served):
    folder, server = served
    opened = visit(server.url)
    assert opened.page.locator("progress").get_attribute("value") == "20"
    assert opened.page.locator(".answer .grade").inner_text().startswith("preliminary, 20 of ")
    whole = folder.parent / "whole"
    simulated.write_run(
        whole, simulated.BOARDS[0], frameworks=("onnxrt", "torch"), precisions=("fp32",), rounds=2
    )
    from inferometer.storage.run_directory import read_run

    RunWriter(folder / "run").append(read_run(whole).records[20])
    opened.page.locator("progress[value='21']").wait_for()
    assert opened.page.locator(".answer .grade").inner_text().startswith("preliminary, 21 of ")


CONTRASTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const part = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  return [...Array(11).keys()].map((shade) => {
    const cell = document.querySelector('.values td').cloneNode();
    cell.className = `s${shade}`;
    document.querySelector('.values tbody tr:nth-child(2)').append(cell);
    const style = getComputedStyle(cell);
    const [a, b] = [luminance(style.color), luminance(style.backgroundColor)].sort((x, y) => y - x);
    cell.remove();
    return (a + 0.05) / (b + 0.05);
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("safe", [False, True])
def test_numbers_read_well_on_every_shade(visit, report, scheme, safe):
    opened = visit(report, color_scheme=scheme)
    opened.page.get_by_label("Colour-blind safe").set_checked(safe)
    assert min(opened.page.evaluate(CONTRASTS)) >= 4.5


def test_links_lead_to_headings_that_the_navigation_stays_above(visit, report):
    opened = visit(report)
    opened.page.get_by_role("navigation").get_by_role("link", name="Figures").click()
    heading = opened.page.evaluate("document.getElementById('figures').getBoundingClientRect().top")
    nav = opened.page.evaluate(
        "(({ top, bottom }) => [top, bottom])(document.querySelector('nav').getBoundingClientRect())"
    )
    assert nav[0] == 0 and heading >= nav[1]


def test_the_first_figure_does_not_wait_for_the_rest_of_the_page(chromium, report):
    page = chromium.new_page(bypass_csp=True)
    page.add_init_script(
        """new MutationObserver((_, observer) => {
          if (!document.querySelector(".frontier svg")) return;
          window.restWasThere = Boolean(document.getElementById("page-details"));
          observer.disconnect();
        }).observe(document, { childList: true, subtree: true });"""
    )
    page.goto(report)
    page.wait_for_selector("html[data-drawn=yes]")
    assert page.evaluate("window.restWasThere") is False
    page.close()
