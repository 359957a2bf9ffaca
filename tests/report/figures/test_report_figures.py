import pytest

from inferometer.errors import UsageError
from inferometer.report.figures import plotly_figure
from inferometer.report.figures.chart import Axis, Chart, PlotSeries, Point
from inferometer.report.figures.plotly_layout import layout, text
from inferometer.results.summary import summarise
from simulated_runs import cell, record, run


def test_every_figure_is_valid_plotly(results):
    from plotly.graph_objects import Figure

    names = plotly_figure.keys(results)
    assert names[:2] == ("power-throughput", "throughput-by-batch")
    for name in names:
        assert isinstance(plotly_figure.figure(results, name), Figure)


@pytest.mark.parametrize("values", [(101.0, 149.0), (3.1, 3.9)])
def test_a_narrow_logarithmic_axis_takes_even_steps(values):
    """None of 2 and 5 times a power of ten is within it."""
    chart = _log_chart(values)
    assert "dtick" not in layout(chart)["yaxis"]
    assert layout(_log_chart((3.0, 3000.0)))["yaxis"]["dtick"] == "D2"


def _log_chart(values):
    points = tuple(Point(1, value) for value in values)
    series = (PlotSeries("tf", "fp32", points),)
    return Chart("power", "", "lines", Axis("x", ticks=(1.0,)), Axis("y", log=True), series)


def test_power_throughput_has_markers_line_and_r2_of_every_framework(results):
    shown = plotly_figure.figure(results, "power-throughput", machine="NVIDIA A2")
    assert len([t for t in shown.data if t.meta["k"] == "fit"]) == 7
    points = [t for t in shown.data if t.meta["k"] == "points"]
    assert {t.name for t in points} == {"tf", "tfxla", "keras", "onnxrt", "openvino", "torch", "tfrt"}
    assert all(t.showlegend for t in points)
    assert all("R² " in t.hovertemplate for t in points)
    assert list(points[0].error_y.array)


def test_a_framework_has_one_colour_in_all_figures(results):
    colours = {}
    for name in plotly_figure.keys(results):
        for trace in plotly_figure.figure(results, name).data:
            if trace.meta:
                colour = trace.marker.color or trace.line.color
                if name == "phases":
                    colour = colour[1]  # of compute; copies are grey
                colours.setdefault(trace.name, set()).add(colour)
    assert {name: len(found) for name, found in colours.items() if len(found) != 1} == {}
    assert len(colours) == 7


def test_parts_of_a_bar_add_up_to_all_and_are_told_apart_by_hatching(results):
    shown = plotly_figure.figure(results, "phases", machine="NVIDIA A2")
    (bar,) = [trace for trace in shown.data if trace.name == "tf"]
    assert [label[0].partition(";")[0] for label in bar.customdata] == ["copy in", "compute", "copy out"]
    assert sum(bar.x) == pytest.approx(100)
    assert bar.base == pytest.approx((0, bar.x[0], bar.x[0] + bar.x[1]))
    assert bar.marker.pattern.shape == ("/", "", "\\")
    assert "the call returned after" in bar.customdata[1][0]
    milliseconds = sum(ms for _, ms, _ in bar.customdata)
    assert bar.text[:2] == ("", "") and float(bar.text[2].split()[0]) == pytest.approx(milliseconds, rel=0.01)
    keys = [trace.name for trace in shown.data if trace.x == (None,)]
    assert keys == ["copy in", "compute", "copy out"]


def test_device_mode_has_bars_of_compute_alone():
    results = summarise([run([record(cell("tf", mode="device"))])])
    bar = plotly_figure.figure(results, "phases").data[0]
    assert (list(bar.x), bar.marker.pattern.shape) == ([100.0], ("",))
    assert bar.text[0].endswith("ms")


def test_a_figure_without_data_says_why(one_cell):
    shown = plotly_figure.figure(one_cell, "images_per_joule-by-batch")
    assert shown.data == ()
    assert "has no energy counter" in shown.layout.annotations[0].text


def test_unknown_figure_and_machine_are_one_line(results):
    with pytest.raises(UsageError, match="unknown figure 'power-troughput'; did you mean 'power-throughput'"):
        plotly_figure.figure(results, "power-troughput")
    with pytest.raises(UsageError, match="unknown machine 'NVIDIA A3'"):
        plotly_figure.figure(results, "power-throughput", machine="NVIDIA A3")
    with pytest.raises(UsageError, match="there are: mobilenet_v3_large in host mode"):
        plotly_figure.figure(results, "power-throughput", mode="device")


def test_names_cannot_be_markup_or_templates():
    assert text("<b>&%{x}") == "&lt;b&gt;&amp;%&#8203;{x}"


def test_all_figures_of_one_machine_are_of_that_one(results):
    from inferometer.report.figures.gallery import Gallery

    whole, chosen = Gallery(results), Gallery(results, machine="NVIDIA A2")
    name = "power-throughput"
    assert len(chosen[name].data) < len(whole[name].data)
    assert len(chosen[name].data) == len(plotly_figure.figure(results, name, machine="NVIDIA A2").data)
    with pytest.raises(UsageError, match="unknown machine 'bogus'"):
        Gallery(results, machine="bogus")
