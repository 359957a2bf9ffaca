"""The section of results under load in a real Chromium: no table or figure is cut."""

from pathlib import Path

import pytest

from inferometer.report.page.html import write_report
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs

pytestmark = pytest.mark.browser

LOAD = Path(__file__).parents[2] / "examples" / "h200-load"
CUT = """() => [...document.querySelectorAll('table')].filter((table) => {
    const room = table.parentElement;
    return table.scrollWidth > room.clientWidth && getComputedStyle(room).overflowX === 'visible';
}).length"""
WIDTHS = "() => { const t = document.querySelector('table.load'); return [t.scrollWidth, t.parentElement.clientWidth]; }"
OUTSIDE = """() => [...document.querySelectorAll('.load-plot svg text')].filter((text) => {
    const [inner, outer] = [text.getBoundingClientRect(), text.closest('.scroll > svg').getBoundingClientRect()];
    return inner.left < outer.left - 1 || inner.right > outer.right + 1;
}).map((text) => text.textContent)"""
SHADES = "() => getComputedStyle(document.querySelector('.scroll')).backgroundAttachment"


@pytest.fixture(scope="module")
def load_report(tmp_path_factory):
    results = summarise(read_runs([LOAD]))
    return write_report(results, tmp_path_factory.mktemp("load") / "report.html").as_uri()


def test_the_whole_table_is_seen_at_1280_pixels(visit, load_report):
    page = visit(load_report).page
    needed, room = page.evaluate(WIDTHS)
    assert needed <= room
    assert page.evaluate(OUTSIDE) == []


def test_a_narrow_screen_scrolls_tables_and_shows_that_there_is_more(visit, load_report):
    page = visit(load_report, viewport={"width": 390, "height": 800}).page
    needed, room = page.evaluate(WIDTHS)
    assert needed > room and page.evaluate(CUT) == 0
    assert page.evaluate(SHADES).split(", ") == ["local", "local", "scroll", "scroll"]
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_lines_of_one_look_have_letters(visit, load_report):
    page = visit(load_report).page
    keys = page.locator(".load-plot").first.locator(".key b").all_inner_texts()
    assert keys == list("abcdef")
    assert page.locator(".load-plot").first.locator("text.over").all_text_contents() == [
        c for k in keys for c in k + k
    ]
