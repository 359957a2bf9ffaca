"""The page's section of results under load: table, rate against latency with the promise, energy against load."""

import re

import msgspec
import pytest

from fakes import BACKENDS
from inferometer.report.figures.colours import palette_of
from inferometer.report.figures.load_plots import energy_plot, latency_plot
from inferometer.report.page.html import write_report
from inferometer.results.summary import summarise
from inferometer.results.under_load import summarise_load
from loaded_runs import loaded_run, one_test, renamed, server


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


def results(folder):
    first = [
        one_test(100, 0.01, watts=50),
        one_test(200, 0.019, watts=60),
        one_test(250, 0.05, valid=False, watts=70),
    ]
    first.append(one_test(900, 9.0, valid=False, ended_early=True))
    second = [one_test(80, 0.012, watts=50), one_test(150, 0.03, valid=False, watts=55)]
    return summarise([loaded_run(folder, [server("a", first), server("b", second)])])


def html_of(found, folder):
    write_report(found, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def test_a_line_a_framework_with_the_promise(tmp_path):
    found = results(tmp_path)
    html = html_of(found, tmp_path)
    section = html[html.index('<h2 id="under_load">') :]
    section = section[: section.index("<h2", 4)]
    assert section.count("<polyline") == 4 and section.count('class="promise"') == 1
    assert "promise 20.0 ms" in section and "not a valid MLPerf length" in section
    assert section.count('class="full"') >= 3 and "ended early" not in section
    assert re.search(r"a: 250 requests/s, 50.0 ms, latency beyond the bound", section)
    assert "nan" not in section.lower()
    assert section.count('<div class="scroll"><svg') == 2, "a narrow screen scrolls: letters stay as large"
    assert 'x="4" y="14">↑ latency</text>' in section and "rotate" not in section, (
        "beside the ticks' words, not on them"
    )


def test_only_what_is_invalid_is_hollow_in_plots_and_their_keys(tmp_path):
    half = server("a", [one_test(100, 0.01)])
    half = renamed(half, cell=msgspec.structs.replace(half.cell, precision="fp16"))
    found = summarise([loaded_run(tmp_path, [half])])
    (line,) = latency_plot(summarise_load(found), palette_of(found)).lines
    assert (line.precision, line.style.fill) == ("fp16", "full")


def test_promises_of_one_row_are_told_apart_by_letters(tmp_path):
    loose, tight = (
        server("a", [one_test(rate, 0.01, watts=50) for rate in (100, rate)], bound_s=bound)
        for bound, rate in ((0.05, 400), (0.01, 200))
    )
    found = summarise([loaded_run(tmp_path, [loose, tight, server("b", [one_test(80, 0.012)])])])
    lines = latency_plot(summarise_load(found), palette_of(found)).lines
    assert {line.name[-7:]: line.letter for line in lines} == {"20.0 ms": "", "50.0 ms": "a", "10.0 ms": "b"}
    html = html_of(found, tmp_path)
    assert len(re.findall(r'class="over" [^>]*>a</text>', html)) == 4, "at both ends, in both plots"
    assert html.count("<b>b</b> a, batches") == 2


def test_points_lie_within_the_plot_and_rise_with_the_value(tmp_path):
    found = results(tmp_path)
    summaries, palette = summarise_load(found), palette_of(found)
    plot = latency_plot(summaries, palette)
    for line in plot.lines:
        assert all(70 <= mark.x <= 626 and 30 <= mark.y <= 290 for mark in line.marks)
        assert [m.x for m in line.marks] == sorted(m.x for m in line.marks)
        assert [m.y for m in line.marks] == sorted((m.y for m in line.marks), reverse=True), "up is more"
    assert len(plot.lines[0].marks) == 3, "a test that was ended early has no latency that counts"
    joules = energy_plot(summaries, palette).lines[0].marks
    assert joules[0].y < joules[1].y, "a request costs more where there are fewer"
    assert 2 <= len(plot.x_ticks) <= 8 and 2 <= len(plot.y_ticks) <= 8


def test_one_rate_and_one_latency_have_numbers_on_their_axes(tmp_path):
    """1, 2 and 5 times a power of ten are not within 15 % of 350 requests/s, nor of 35 ms."""
    found = summarise([loaded_run(tmp_path, [server("a", [one_test(350, 0.035)], bound_s=0.035)])])
    plot = latency_plot(summarise_load(found), palette_of(found))
    assert [words for _, words in plot.x_ticks] == ["320", "340", "360", "380", "400"]
    assert len(plot.y_ticks) >= 2


def test_without_meters_there_is_no_plot_of_energy_and_without_load_no_section(tmp_path):
    run = loaded_run(tmp_path, [server("a", [one_test(100, 0.01)])])
    found = summarise([run])
    assert energy_plot(summarise_load(found), palette_of(found)) is None
    assert html_of(found, tmp_path).count("<polyline") == 1
    (tmp_path / "closed").mkdir()
    closed = summarise([loaded_run(tmp_path / "closed", [])])
    assert 'id="under_load"' not in html_of(closed, tmp_path)
