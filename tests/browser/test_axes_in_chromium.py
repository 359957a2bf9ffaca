"""The figures' axes in a real Chromium: every one has numbers, and none lies over another."""

import itertools
from pathlib import Path

import pytest

from inferometer.report.page.html import write_report
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs

pytestmark = pytest.mark.browser

RUN = (
    Path(__file__).parents[2] / "examples" / "h100" / "pipelined-two-ahead"
)  # a cell of 6 to 12 ms, one of 103 to 135 ms
LABELS = """(place, letter) => [...place.querySelectorAll(`[aria-label="${letter}-axis tick label"] text`)].map(t => {
    const { left, right, top, bottom } = t.getBoundingClientRect();
    return { text: t.textContent, left, right, top, bottom };
})"""
OF_RANGES = """([ranges, widths]) => ranges.flatMap(domain => widths.flatMap(pixels => [true, false].map(log => {
    const found = ticks.of(domain, { pixels, log, upward: false });
    return { domain, pixels, found, labels: found.map(ticks.label) };
})))"""


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    results = summarise(read_runs([RUN]))
    return write_report(results, tmp_path_factory.mktemp("narrow") / "report.html").as_uri()


@pytest.mark.parametrize("width", [1400, 390])
def test_a_narrow_range_of_latencies_has_numbers(visit, narrow, width):
    page = visit(narrow, viewport={"width": width, "height": 900}).page
    places = page.locator(".frontier").all()
    assert len(places) == 2
    for place in places:
        labels, upward = (place.evaluate(LABELS, letter) for letter in "xy")
        assert len(labels) >= 2 and len({one["text"] for one in labels}) == len(labels)
        assert all(a["right"] < b["left"] for a, b in itertools.pairwise(labels))
        assert len(upward) >= 2 and all(b["bottom"] <= a["top"] for a, b in itertools.pairwise(upward))


def test_any_range_has_two_ticks_that_are_told_apart(visit, narrow):
    ranges = [
        [101, 149],
        [151, 199],
        [21, 29],
        [31, 39],
        [7, 16],
        [2, 500],
        [0.0301, 0.0399],
        [100.1, 100.3],
        [1100, 2e6],
    ]
    for one in visit(narrow).page.evaluate(OF_RANGES, [ranges, [170, 300, 1000]]):
        low, high = one["domain"]
        assert len(one["found"]) >= 2, one
        assert all(low * 0.999 <= tick <= high * 1.001 for tick in one["found"]), one
        assert len(set(one["labels"])) == len(one["labels"]), one
        assert sum(map(len, one["labels"])) * 6 <= one["pixels"], one
