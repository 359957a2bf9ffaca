"""The report in Chromium: contrast, paper, a phone, screen readers, and names that would do harm."""

import itertools
import re
import shutil
import subprocess

import pytest

from inferometer.report.page.html import write_report
from parts import missing
from report_fixtures import SECTIONS

pytestmark = pytest.mark.browser


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
