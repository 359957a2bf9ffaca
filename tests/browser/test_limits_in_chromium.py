"""The first screen in a real Chromium: answers, limits, the frontier and the heat map, and the address that keeps them."""

import pytest

from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.recommend import recommend

pytestmark = pytest.mark.browser

ANSWERS = "[...document.querySelectorAll('.answer')].map(a => a.innerText.replace(/\\s+/g, ' ').trim())"
PICKS = "[...document.querySelectorAll('.answer .pick')].map(a => a.textContent)"
KEPT = "[...document.querySelectorAll('.frontier')].map(f => +f.dataset.kept)"


def slide(page, name, place):
    """Move a slider as the keyboard or a hand would."""
    page.locator(f"#limit-{name}").evaluate(
        "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', { bubbles: true })); }", place
    )


def test_the_script_says_what_the_page_was_written_with(visit, report, chromium):
    scripted = visit(report).page.evaluate(ANSWERS)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report)
    written = [" ".join(text.split()) for text in page.locator(".answer").all_inner_texts()]
    context.close()
    assert scripted == written and len(written) == 3


def test_a_limit_rewrites_the_answer_as_the_engine_would(visit, report, results):
    opened = visit(report)
    slide(opened.page, "latency", 90)
    limit_ms = float(opened.page.evaluate("state.get('max-latency-ms')"))
    wanted = recommend(results, Constraints(max_latency_s=limit_ms / 1e3))
    picks = opened.page.evaluate(PICKS)
    for pick, decision in zip(picks, wanted, strict=True):
        assert decision.choice is None or decision.choice.name in pick
    assert picks != [f"use {d.choice.name}" for d in recommend(results)]
    kept = opened.page.evaluate(KEPT)
    assert all(0 <= some < whole for some, whole in zip(kept, [46, 46, 46], strict=True))
    assert opened.page.locator("td.out").count() > 10
    assert opened.complaints == []


def test_an_address_brings_limits_and_axis_back(visit, report):
    opened = visit(f"{report}#max-latency-ms=20&y=per_joule")
    picks = opened.page.evaluate(PICKS)
    assert opened.page.locator("output[for=limit-latency]").inner_text() == "≤ 20 ms"
    assert opened.page.locator("select[data-y]").input_value() == "per_joule"
    opened.page.reload()
    opened.drawn()
    assert opened.page.evaluate(PICKS) == picks
    opened.page.get_by_role("navigation").get_by_role("link", name="Method").click()
    opened.page.wait_for_function("location.hash.includes('max-latency-ms=20')")
    opened.page.get_by_role("button", name="No limits").click()
    assert opened.page.evaluate(PICKS) != picks
    assert opened.page.evaluate("location.hash") == "#y=per_joule"


def test_a_hidden_framework_is_no_answer(visit, report, results):
    opened = visit(report)
    best = recommend(results)[0].choice
    opened.page.get_by_role("checkbox", name=best.summary.row, exact=True).uncheck()
    others = tuple({s.cell.framework for s in results.summaries} - {best.summary.cell.framework})
    wanted = [d.choice.name for d in recommend(results, Constraints(frameworks=others))]
    assert [pick.removeprefix("use ") for pick in opened.page.evaluate(PICKS)] == wanted


def test_the_heat_map_is_one_tab_stop_and_arrows_read_it(visit, report):
    opened = visit(report)
    page = opened.page
    stops = page.evaluate(
        "[...document.querySelectorAll('table.heat')].map(t => t.querySelectorAll('[tabindex=\"0\"]').length)"
    )
    assert stops == [1, 1, 1]
    page.locator("table.heat td[tabindex='0']").first.focus()
    first = page.locator("[data-said]").inner_text()
    assert "% of the best" in first
    page.keyboard.press("ArrowDown")
    assert page.locator("[data-said]").inner_text() != first
    page.keyboard.press("ArrowUp")
    assert page.locator("[data-said]").inner_text() == first
    hatched = page.locator(".heat .hatched").first
    hatched.hover()
    assert (
        "out-of-memory" in page.locator("[data-said]").inner_text()
        or "timed-out" in page.locator("[data-said]").inner_text()
    )


def test_heat_can_be_shaded_within_all_machines(visit, report):
    opened = visit(report)
    classes = "[...document.querySelectorAll('.heat td[data-own]')].map(c => c.className)"
    own = opened.page.evaluate(classes)
    opened.page.locator("select[data-shade]").select_option("all")
    assert opened.page.evaluate(classes) != own
    assert opened.page.evaluate("location.hash") == "#shade=all"


MARKS = """() => [...document.querySelectorAll('.frontier svg:first-child')].map((svg) => {
    const named = (name) => [...svg.querySelectorAll(`g[aria-description="${name}"]`)];
    const shape = (mark) => [mark.getAttribute('d'), mark.getAttribute('transform')].join();
    const [choice, ring] = ['choice', 'ring'].map((name) => named(name).at(-1)?.firstElementChild);
    const after = (a, b) => Boolean(a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING);
    const dots = [...svg.querySelectorAll('g[aria-label="dot"]:not([aria-description]) > *')];
    return choice && {
        once_more: dots.some((dot) => shape(dot) === shape(choice)),
        last: dots.every((dot) => after(dot, ring)) && after(ring, choice),
        opaque: (choice.getAttribute('opacity') ?? '1') === '1', };
})"""


def test_the_choice_and_its_ring_lie_over_every_other_mark(visit, report):
    page = visit(report).page
    on_top = {"once_more": True, "last": True, "opaque": True}
    assert page.evaluate(MARKS) == [on_top] * 3
    before = page.evaluate(PICKS)
    slide(page, "latency", 90)
    assert page.evaluate(PICKS) != before
    chosen = [marks for marks in page.evaluate(MARKS) if marks]
    assert chosen and all(marks == on_top for marks in chosen)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert [marks for marks in page.evaluate(MARKS) if marks] == chosen


FRONT = """([points, less]) => frontier.front(points, less).map(p => [p.x, p.y])"""


def test_the_front_is_what_nothing_beats(visit, report):
    import numpy as np

    opened = visit(report)
    rng = np.random.default_rng(3)
    for less in (False, True):
        for _ in range(30):
            points = rng.integers(1, 9, size=(rng.integers(1, 12), 2)).astype(float)
            sign = -1 if less else 1
            unbeaten = {
                (x, y)
                for x, y in points
                if not any(u <= x and sign * v >= sign * y and (u, v) != (x, y) for u, v in points)
            }
            found = opened.page.evaluate(FRONT, [[{"x": x, "y": y} for x, y in points.tolist()], less])
            assert {tuple(p) for p in found} == unbeaten
            assert found == sorted(found)
