import pytest

from inferometer.report.figures.chart import BEST
from inferometer.report.figures.figure_specs import figure_specs
from inferometer.report.figures.plotly_layout import ROW_PX, TOOLBAR_PX, layout, rows_margin
from inferometer.report.page.verdict import verdicts
from inferometer.results.judging import Judge
from inferometer.results.metrics import THROUGHPUT
from inferometer.results.stats import regress
from summaries_of import batch_latencies_s


def spec(results, key):
    return next(p for p in figure_specs(results, *results.sections[0]) if p.key == key)


def cell(results, machine, framework, size):
    return next(
        s
        for s in results.summaries
        if (s.machine, s.cell.framework, s.cell.batch_size) == (machine, framework, size)
    )


def test_power_against_throughput_shows_the_summaries_and_their_line(results):
    chart = spec(results, "power-throughput").charts[0]
    series = next(s for s in chart.series if s.framework == "onnxrt")
    assert [p.batch_size for p in series.points] == [8, 16, 32, 64, 128, 256, 512]
    summary = cell(results, chart.title, "onnxrt", 64)
    point = series.points[3]
    assert (point.at, point.value) == (summary.throughput.value, summary.power.value)
    assert (point.at_low, point.high) == (summary.throughput.low, summary.power.high)
    line = regress([p.at for p in series.points], [p.value for p in series.points])
    assert series.fit.r2 == line.r2
    assert series.fit.slope == line.slope


def test_what_energy_cannot_show_is_said(results):
    shown = spec(results, "power-throughput")
    assert [chart.title for chart in shown.charts] == ["NVIDIA A2", "Tesla V100-PCIE-32GB"]
    openvino = next(s for s in shown.charts[0].series if s.framework == "openvino")
    assert 8 not in [p.batch_size for p in openvino.points]
    assert shown.omitted == (
        "Not shown: 1 cell on NVIDIA A2, 1 cell on Tesla V100-PCIE-32GB: unresolved: window of 0.3 s is shorter than "
        "10 counter steps (100 ms each); raise --energy-window",
        "Not shown: 46 cells on NVIDIA TITAN X (Pascal): no meter: NVIDIA TITAN X (Pascal) has no energy counter",
    )


def test_failed_cells_are_in_no_figure(results):
    for one in figure_specs(results, *results.sections[0]):
        for chart in one.charts:
            torch = [s for s in chart.series if s.framework == "torch"]
            assert all(point.batch_size != 512 for series in torch for point in series.points)


def test_each_at_its_fastest_takes_the_batch_size_of_highest_throughput(results):
    charts = spec(results, "prepare_time").charts
    assert len(charts) == 3  # a panel a machine
    for chart in charts:
        series = next(s for s in chart.series if s.framework == "torch")
        (point,) = (p for p in series.points if p.batch_size == BEST)
        speeds = {
            s.throughput.value: s
            for s in results.summaries
            if s.machine == chart.title and s.cell.framework == "torch" and s.ranked
        }
        assert point.value == pytest.approx(speeds[max(speeds)].prepare.total.value)


def test_latency_quantiles_come_from_the_raw_batches(results):
    import numpy as np

    chart = spec(results, "latency-distribution").charts[0]
    series = next(s for s in chart.series if s.framework == "tf")
    point = next(p for p in series.points if p.batch_size == 16)
    samples = batch_latencies_s(cell(results, chart.title, "tf", 16))
    assert len(samples) == 3 * 4 * 32
    assert point.quantiles == tuple((1e3 * np.percentile(samples, (5, 25, 50, 75, 95, 99))).tolist())


def test_figures_without_any_data_say_why(one_cell):
    shown = spec(one_cell, "energy")
    assert shown.charts == ()
    assert shown.omitted == (
        "Not shown: 1 cell on NVIDIA TITAN X (Pascal): no meter: NVIDIA TITAN X (Pascal) has no energy counter",
    )


def test_verdict_names_the_winner_and_its_margin_or_tie(results):
    first = verdicts(results, *results.sections[0])[0]
    assert first.machine == "NVIDIA A2"
    best = max(
        (s for s in results.summaries if s.machine == "NVIDIA A2" and s.ranked),
        key=lambda s: s.throughput.value,
    )
    assert first.fastest.summary is best
    assert first.fastest.head == f"{best.row} at batch size {best.cell.batch_size}"
    assert "images/s (" in first.fastest.value
    assert "mJ an image (" in first.efficient.value and "% less energy than" in first.efficient.why
    assert "tie with" in first.fastest.why or "faster than the next, " in first.fastest.why


def test_verdict_without_a_meter_says_so(results):
    last = next(v for v in verdicts(results, *results.sections[0]) if "TITAN" in v.machine)
    assert last.efficient is None
    assert last.no_efficient == "Not known: no meter: NVIDIA TITAN X (Pascal) has no energy counter"


def test_verdict_where_all_failed(all_failed):
    (verdict,) = verdicts(all_failed, *all_failed.sections[0])
    assert verdict.fastest is None
    assert verdict.no_fastest == "None of 2 cells ended well; see Failed cells."


def test_deployment_is_one_that_the_data_cannot_tell_from_the_fastest(results):
    """Not one within 5 % of it: what the data tell apart is slower, however little."""
    judge = Judge(results.summaries, THROUGHPUT)
    for verdict in verdicts(results, *results.sections[0]):
        chosen = verdict.deploy.decision.choice.summary
        assert chosen is verdict.fastest.summary or judge.as_good(verdict.fastest.summary, chosen)
        assert ("mJ an image" in verdict.deploy.value) == ("TITAN" not in verdict.machine)


def test_panels_of_a_figure_share_their_kind_of_scale(results):
    from inferometer.report.figures.chart import Axis, Chart
    from inferometer.report.figures.figure_specs import _same_scale

    narrow, wide = (
        Chart(key, key, "lines", Axis("x"), Axis("y", log=key == "wide"), ()) for key in ("narrow", "wide")
    )
    assert [chart.y.log for chart in _same_scale([narrow, wide], "y")] == [True, True]
    assert [chart.y.log for chart in _same_scale([narrow], "y")] == [False]


def test_remarks_that_differ_in_numbers_only_are_one():
    from inferometer.results.similar_causes import shape, spanned

    texts = [f"warm-up cut at {n} of 50 batches by the budget of 6 s" for n in (7, 37, 13)]
    assert len({shape(text) for text in texts}) == 1
    assert spanned(texts) == "warm-up cut at 7 to 37 of 50 batches by the budget of 6 s"
    assert shape("on GPU-cb72 8") != shape("on GPU-cb73 8")


def test_phases_are_those_of_the_summaries_in_milliseconds(results):
    chart = spec(results, "phases").charts[0]
    series = next(s for s in chart.series if s.framework == "tf")
    point = next(p for p in series.points if p.batch_size == 64)
    found = cell(results, chart.title, "tf", 64).phases
    names = ("copy_in", "enqueue", "compute", "copy_out")
    assert point.phases == pytest.approx([1e3 * found[name].value for name in names])
    assert point.value == pytest.approx(sum(point.phases) - point.phases[1])  # enqueue is a part of compute


def test_the_toolbar_is_above_the_bars_whose_sums_stand_at_the_right(results):
    bars, dots = (spec(results, key).charts[0] for key in ("phases", "memory"))
    assert layout(bars)["margin"]["t"] == layout(dots)["margin"]["t"] + TOOLBAR_PX
    for chart in (bars, dots):  # rows keep their height
        assert layout(chart)["height"] - rows_margin(chart) == ROW_PX * len(chart.series)


def test_phases_start_with_the_largest_batch_size_that_most_rows_have(results):
    chart = spec(results, "phases").charts[0]
    sizes = {s.framework: {p.batch_size for p in s.points} for s in chart.series}
    assert 512 in sizes["onnxrt"] and 512 not in sizes["torch"] | sizes["tfrt"]
    assert 256 in sizes["torch"] and 256 not in sizes["tfrt"]
    assert chart.first_size == 128
    totals = [p.value for s in chart.series for p in s.points if p.batch_size == 128]
    assert totals == sorted(totals) and len(totals) == len(chart.series)
    assert "batch size 128" in chart.x.title


def test_cells_without_phases_are_counted_with_the_reason(results):
    shown = spec(results, "phases")
    assert "openvino" not in {s.framework for chart in shown.charts for s in chart.series}
    (sentence,) = shown.omitted
    assert "7 cells on NVIDIA A2" in sentence and "does not tell them apart" in sentence


def test_rows_that_lack_the_first_batch_size_are_not_drawn_bare():
    from inferometer.results.summary import summarise
    from simulated_runs import cell as a_cell
    from simulated_runs import record, run

    cells = [a_cell("tf"), a_cell("torch"), a_cell("jax", 16)]
    (chart,) = spec(summarise([run([record(one) for one in cells])]), "phases").charts
    assert chart.first_size == 8
    assert [s.framework for s in chart.series][-1] == "jax"
    assert {s.framework for s in chart.at_first().series} == {"tf", "torch"}


def test_a_pipeline_has_no_figure_of_phases_and_says_why():
    from inferometer.results.summary import summarise
    from simulated_runs import cell as a_cell
    from simulated_runs import record, run

    shown = spec(summarise([run([record(a_cell(mode="host-pipelined"))])]), "phases")
    assert shown.charts == () and shown.optional
    assert shown.omitted == ("Not shown: 1 cell on H100: the phases of batches in a pipeline overlap",)
