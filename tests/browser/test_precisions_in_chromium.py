"""The page of one framework pair in four precisions, resident on the device, in a real Chromium."""

from pathlib import Path

import pytest

from inferometer.report.page.html import write_report
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs

pytestmark = pytest.mark.browser

RUN = Path(__file__).parents[2] / "examples" / "h200-precisions" / "resnet50"


@pytest.fixture(scope="module")
def precisions(tmp_path_factory):
    results = summarise(read_runs([RUN]))
    return write_report(results, tmp_path_factory.mktemp("precisions") / "report.html").as_uri()


def test_a_batch_of_one_phase_has_no_shares(visit, precisions):
    opened = visit(precisions)
    figure = opened.page.locator("#s0-phases")
    title = opened.page.locator("[data-figure=s0-phases-0] [aria-label='x-axis label']")
    assert "(ms)" in title.text_content() and "shares" not in figure.inner_text()
    assert figure.locator("[aria-label='Parts of a bar'] .key").all_text_contents() == [
        "compute in the framework’s colour"
    ]


def test_a_name_is_written_whole_where_there_is_room(visit, precisions):
    for width in (1280, 390):
        page = visit(precisions, viewport={"width": width, "height": 800}).page
        for place in page.locator(".frontier, [data-figure=s0-throughput-by-batch-0]").all():
            assert "torch-compile fp16" in place.locator("svg > text").all_text_contents()
            right = place.evaluate(
                "e => Math.max(...[...e.querySelectorAll('svg > text')].map(t => t.getBoundingClientRect().right))"
                " - e.getBoundingClientRect().right"
            )
            assert right <= 2
