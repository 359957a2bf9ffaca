"""The report as a reader meets it: in a real Chromium, driven by Playwright."""

import pytest

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


def test_the_data_of_a_figure_open_as_a_table(visit, report, results):
    opened = visit(report)
    table = opened.data("#s0-power-throughput-data")
    assert table.locator("thead th").all_inner_texts() == [
        "Framework", "Precision", "Batch size", "Throughput (images/s)", "Power (W)", "Low", "High",
    ]  # fmt: skip
    metered = [s for s in results.summaries if s.machine == "NVIDIA A2" and s.power]
    assert table.locator("tbody tr").count() == len(metered)
    assert "Median" in opened.data("#s0-latency-distribution-data").locator("thead").inner_text()


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
