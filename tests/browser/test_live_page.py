"""The page of a run that goes on, in Chromium."""

import pytest

import simulated_runs as simulated
from inferometer.storage.run_directory import RunWriter
from live_server import serving

pytestmark = pytest.mark.browser


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
