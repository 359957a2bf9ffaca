"""The Python interface in a real notebook with a real kernel: progress, table, figures."""

import pytest

from parts import missing

pytestmark = pytest.mark.environment

RUN = """
import inferometer
result = inferometer.run(
    {model!r}, frameworks="onnxrt", batch_sizes=[2], images=4, loops=2, warmup=1, rounds=3, threads=1, out={out!r}
)
"""
CELLS = (
    RUN,
    "result",
    "result.plot('throughput-by-batch')",
    "result.plot()",
    "result.run.info.command",
    "result.to_pandas()[['framework', 'throughput', 'throughput_low']]",
)

PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def outputs(tiny_model, tmp_path_factory):
    """Return the outputs of every cell of an executed notebook."""
    try:
        import ipykernel  # noqa: F401
        import nbformat
        from nbclient import NotebookClient
    except ImportError as error:
        missing(f"no notebook here: {error}")
    folder = tmp_path_factory.mktemp("notebook")
    sources = [cell.format(model=str(tiny_model), out=str(folder / "run")) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_DATA_DIR", str(folder))  # the kernel of this interpreter, not one of the user's
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def test_progress_is_one_output_updated_in_place(outputs):
    (shown,) = outputs[0]
    assert shown.output_type == "display_data"
    assert shown.data["text/plain"] == "3 of 3 cells ended"
    assert "<progress" not in shown.data["text/html"]


def test_the_result_shows_its_table(outputs):
    (shown,) = outputs[1]
    assert shown.data["text/html"].startswith("<table") and "onnxrt ▲" in shown.data["text/html"]
    assert "Result of 3 records" in shown.data["text/plain"]


def test_one_figure_and_all_of_them(outputs):
    (one,) = outputs[2]
    figure = one.data[PLOTLY]
    assert [trace["name"] for trace in figure["data"]] == ["onnxrt"]
    everything = [o.data for o in outputs[3] if o.output_type == "display_data"]
    figures = [data[PLOTLY] for data in everything if PLOTLY in data]
    titles = [figure["layout"]["title"]["text"] for figure in figures]
    assert {"Throughput by framework", "Latency distribution"} <= set(titles)
    reasons = "".join(data["text/plain"] for data in everything if PLOTLY not in data)
    assert ("Power by framework" in titles) != (
        "Power by framework: Not shown" in reasons
    )  # a machine without a meter says so


def test_a_frame_for_further_work(outputs):
    (shown,) = outputs[5]
    assert "throughput_low" in shown.data["text/html"]


def test_a_notebook_stays_small(outputs):
    sizes = [len(str(o.get("data", ""))) for cell in outputs for o in cell]
    assert max(sizes) < 6e6 and sum(sizes) < 8e6, sizes  # plotly's script is there once


def test_the_run_does_not_carry_the_kernels_own_arguments(outputs):
    (shown,) = outputs[4]
    assert shown.data["text/plain"] == "'inferometer.run(...)'"
