import numpy as np
import pytest

from inferometer.errors import StoreError
from inferometer.report.figures.matplotlib_figure import write_static


@pytest.fixture
def drawing():
    from parts import missing

    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        missing("matplotlib")
    return mpl


def test_every_figure_with_data_is_written_twice(one_cell, tmp_path, drawing):
    from PIL import Image

    files = write_static(one_cell, tmp_path / "figures")
    assert sorted({file.stem for file in files}) == [
        "latency-distribution", "memory", "phases", "prepare_time", "throughput", "throughput-by-batch",
    ]  # fmt: skip
    assert {file.suffix for file in files} == {".png", ".svg"}
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as image:
                assert min(image.size) > 300
                assert np.asarray(image.convert("L")).min() < 100
        else:
            assert file.read_text().rstrip().endswith("</svg>")


def test_a_narrow_logarithmic_axis_has_numbers(drawing):
    from matplotlib.figure import Figure

    from inferometer.report.figures.chart import Axis
    from inferometer.report.figures.matplotlib_figure import _scale

    figure = Figure()
    axes = figure.subplots()
    axes.plot([101, 149], [1, 2])
    _scale(axes, "x", Axis("Latency", "ms", log=True))
    figure.draw_without_rendering()
    low, high = axes.get_xlim()
    assert len([label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]) >= 2


def test_numbers_on_axes_have_no_exponent(drawing):
    from inferometer.report.figures.colours import palette_of
    from inferometer.report.figures.figure_specs import figure_specs
    from inferometer.report.figures.matplotlib_figure import draw_figure
    from inferometer.results.summary import summarise
    from simulated_runs import cell, record, run

    records = [
        record(cell(name, size), rate=rate * size)
        for name, rate in (("onnxrt", 2e5), ("torch", 1e6))
        for size in (1, 8)
    ]
    results = summarise([run(records)])
    texts = []
    for spec in (one for one in figure_specs(results, *results.sections[0]) if one.charts):
        figure = draw_figure(spec, palette_of(results))
        figure.canvas.draw()
        texts += [
            text.get_text()
            for axes in figure.axes
            for text in axes.get_xticklabels() + axes.get_yticklabels()
        ]
    assert "5,000,000" in texts and not [text for text in texts if "e+" in text]


def test_hostile_names_are_drawn_as_text(hostile, tmp_path, drawing):
    from inferometer.report.figures.colours import palette_of
    from inferometer.report.figures.figure_specs import figure_specs
    from inferometer.report.figures.matplotlib_figure import draw_figure

    spec = figure_specs(hostile, *hostile.sections[0])[0]
    drawn = draw_figure(spec, palette_of(hostile))
    drawn.savefig(tmp_path / "x.svg")
    assert "<script" not in (tmp_path / "x.svg").read_text()


def test_a_folder_that_cannot_be_made_is_one_line(one_cell, tmp_path, drawing):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="give another folder"):
        write_static(one_cell, tmp_path / "file" / "figures")


def test_many_series_become_a_picture_a_precision(tmp_path, drawing):
    import simulated_runs as simulated
    from inferometer.report.figures.figure_specs import figure_specs
    from inferometer.report.figures.matplotlib_figure import _legible
    from report_fixtures import summarised

    simulated.write_run(tmp_path / "run", simulated.BOARDS[0], batch_sizes=(8,), rounds=1, loops=1)
    found = summarised(tmp_path)
    spec = next(p for p in figure_specs(found, *found.sections[0]) if p.key == "throughput")
    parts = _legible(spec)
    assert sorted(name for name, _ in parts) == ["throughput-fp16", "throughput-fp32", "throughput-int8"]
    assert sum(len(part.charts[0].series) for _, part in parts) == len(spec.charts[0].series) > 24
