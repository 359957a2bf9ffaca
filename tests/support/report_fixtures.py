"""Runs of several machines, summarised once for all tests of the report."""

from __future__ import annotations

import pytest

SECTIONS = (
    "Verdict",
    "Findings",
    "Heat map",
    "All cells",
    "Tables",
    "Figures",
    "Failed cells",
    "Method",
    "Machines",
    "Versions",
    "Runs",
    "Run it again",
)


def summarised(folder):
    from inferometer.results.summary import summarise
    from inferometer.storage.run_directory import read_run

    return summarise([read_run(file.parent) for file in sorted(folder.rglob("run.json"))])


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Three machines (one without a meter), seven frameworks, one of them without an energy at batch size 8."""
    import simulated_runs as simulated

    folder = tmp_path_factory.mktemp("runs")
    names = ("tf", "tfxla", "keras", "onnxrt", "openvino", "torch", "tfrt")
    for board in (simulated.BOARDS[0], simulated.BOARDS[1], simulated.BOARDS[3]):
        simulated.write_run(
            folder / board.gpu[:9].replace(" ", "-"), board, frameworks=names, precisions=("fp32",)
        )
    return summarised(folder)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """Frameworks, GPU and model whose names are HTML and scripts."""
    import simulated_runs as simulated

    folder = tmp_path_factory.mktemp("hostile")
    board = simulated.Board("<b>GPU</b><script>window.hacked=1</script>", 900.0, 10.0, 60.0)
    simulated.write_run(
        folder / "run", board, frameworks=simulated.HOSTILE, precisions=("fp32", "fp16"), batch_sizes=(8, 64, 512),
        model="<img src=x onerror=window.hacked=1>",
    )  # fmt: skip
    return summarised(folder)


@pytest.fixture(scope="session")
def one_cell(tmp_path_factory):
    """A single framework at one batch size, without a meter."""
    import simulated_runs as simulated

    folder = tmp_path_factory.mktemp("one")
    simulated.write_run(
        folder / "run", simulated.BOARDS[3], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,)
    )
    return summarised(folder)


@pytest.fixture(scope="session")
def all_failed(tmp_path_factory):
    """A run in which no cell ended well."""
    import simulated_runs as simulated

    folder = tmp_path_factory.mktemp("failed")
    simulated.write_run(
        folder / "run",
        simulated.BOARDS[3],
        frameworks=("tfrt",),
        precisions=("fp32",),
        batch_sizes=(256, 512),
    )
    return summarised(folder)
