"""Bars of intervals in a real Chromium: whole with a cap at either end, or cut with an arrow head that the figure explains."""

from pathlib import Path

import pytest

from inferometer.report.page.html import write_report
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs

pytestmark = pytest.mark.browser

LOAD = (
    Path(__file__).parents[2] / "examples" / "h200-load"
)  # jax: 3 to 23 mJ an image, which is 43 to 300 images/J
NOTE = "Arrow head: the interval goes on beyond the axis."
ENDS = """place => Object.fromEntries(['cap', 'cut'].map(kind => [kind, place.querySelectorAll(`[aria-description=${kind}] > *`).length]))"""
OUTSIDE = """place => { // of the lines of the grid
    const of = (name) => [...place.querySelectorAll(name)].map(e => e.getBoundingClientRect());
    const grid = of('[aria-label=x-grid] > *');
    const [top, bottom] = [Math.min(...grid.map(g => g.top)), Math.max(...grid.map(g => g.bottom))];
    return of('[aria-description] > *').filter(e => e.top < top - 1 || e.bottom > bottom + 1).length;
}"""
DRAWN = """([points, log]) => {
    const place = dom.element('div', undefined, document.body);
    const { symbols } = JSON.parse(document.getElementById('page-data').textContent);
    const series = points.map((point, i) => ({ f: 0, p: 'fp32', name: `row ${i}`, look: 0, symbol: Object.keys(symbols)[0], fill: 'full', points: [[0, ...point]] }));
    const ink = { ink: '#000', ground: '#fff', grey: '#999' };
    figures.draw(place, { kind: 'dots', x: { title: 'Energy' }, first_size: 0, series }, {
        hidden: { frameworks: new Set(), precisions: new Set() }, look: { colours: ['#000'], symbols, ink },
        size: { width: 600 }, batch: '0', log: { x: log } });
    const lines = [...place.querySelectorAll('[aria-label=rule]')].find(g => g.getAttribute('stroke-width') === '1.4').children;
    return {
        lengths: [...lines].map(line => Math.abs(line.getAttribute('x2') - line.getAttribute('x1'))),
        cuts: [...place.querySelectorAll('[aria-description=cut] > *')].map(e => e.getBBox().x + e.getCTM().e),
        note: place.querySelector('text.cut')?.textContent ?? '' };
}"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    results = summarise(read_runs([LOAD / name for name in ("onnxrt", "torch-compile", "jax")]))
    return write_report(results, tmp_path_factory.mktemp("intervals") / "report.html").as_uri()


@pytest.mark.parametrize("width", [1400, 390])
def test_the_axes_hold_intervals_that_are_near_and_cut_the_others_with_a_sign(visit, loaded, width):
    page = visit(loaded, viewport={"width": width, "height": 900}).page
    assert page.locator("[data-figure=s0-energy-by-framework-0]").evaluate(ENDS) == {"cap": 6, "cut": 0}
    assert page.locator(".frontier").evaluate(ENDS) == {"cap": 12, "cut": 0}
    cut = page.locator("[data-figure=s0-images_per_joule-by-batch-0]")
    assert cut.evaluate(ENDS) == {"cap": 5, "cut": 1} and cut.evaluate(OUTSIDE) == 0
    assert (
        page.locator("text.cut").all_text_contents() == cut.locator("text.cut").all_text_contents() == [NOTE]
    )
    note, picture = (cut.locator(part).bounding_box() for part in ("text.cut", "svg"))
    assert picture["x"] <= note["x"] and note["x"] + note["width"] <= picture["x"] + picture["width"]
    assert note["y"] + note["height"] <= picture["y"] + picture["height"]
    assert page.locator(".frontier").evaluate(OUTSIDE) == 0


@pytest.mark.parametrize("log", [True, False])
def test_an_end_that_no_axis_has_a_place_for_is_cut(visit, loaded, log):
    """A logarithmic axis has none for -5; neither kind goes on to 4,000 where the points end at 25."""
    page = visit(loaded).page
    points = [[20, -5, 24], [25, 19, 4000], [22, 20, 23]]
    drawn = page.evaluate(DRAWN, [points, log])
    assert drawn["note"] == NOTE
    assert len(drawn["cuts"]) == (2 if log else 1)
    assert all(length > 10 for length in drawn["lengths"]), "a bar is cut, not left out"
    assert page.evaluate(DRAWN, [[[20, 12, 24]], log])["note"] == ""


def test_a_saved_figure_explains_its_arrow_heads(visit, loaded):
    page = visit(loaded).page
    saved = page.evaluate("saving.standalone(document.querySelector('#s0-images_per_joule-by-batch')).text")
    assert NOTE in saved


LEADERS = """() => {
    const place = document.querySelector('.frontier');
    const right = (e) => e.getBoundingClientRect().right;
    const bars = [...place.querySelectorAll('[aria-label=rule] line')];
    return [...place.querySelectorAll('path.leader')].map(leader => {
        const { left, top } = leader.getBoundingClientRect();
        const bar = bars.find(b => Math.abs(b.getBoundingClientRect().top - top) < 1 && Number(b.getAttribute('x2')) !== Number(b.getAttribute('x1')));
        const { stroke, strokeDasharray } = getComputedStyle(leader);
        return { ink: stroke === getComputedStyle(leader).color, dotted: strokeDasharray !== 'none', behind: left >= right(bar) };
    });
}"""


def test_what_leads_to_a_name_does_not_look_like_a_bar(visit, loaded):
    leaders = visit(loaded).page.evaluate(LEADERS)
    assert leaders == [{"ink": True, "dotted": True, "behind": True}] * 3
