"""The table that a run ends with, on screens of any width, and what it says of a run that is not whole."""

import io

import pytest
from rich.console import Console

from inferometer.cli.overview_table import print_overview
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.tables.overview import COLUMNS, rows, to_html
from simulated_runs import cell, record, rounds_of, run

LONG = "torch-compile:channels_last"


def several():
    return run(
        [
            *rounds_of(cell(LONG, 8, "fp16", mode="device"), [51_712.0, 51_713.0]),
            *rounds_of(cell("onnxrt", 8), [1_234.5, 1_234.6]),
        ],
        rounds=2,
    )


def printed(results, width):
    """Return the lines on a terminal of so many columns."""
    screen = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_overview(results, screen)
    return screen.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100, 120, 200])
def test_no_number_is_cut_on_any_screen(width):
    results = summarise([several()])
    text = "\n".join(printed(results, width))
    assert "…" not in text
    table = text.partition("images/s")[2]
    for row in rows(results):
        shown = [
            column.text(row.summary)
            for column in COLUMNS
            if not column.drop_order and column.title not in ("framework", "device")
        ]
        assert all(part in table for part in shown)
    assert LONG in table


def test_a_narrow_screen_is_told_what_it_is_not_shown():
    results = summarise([several()])
    narrow = printed(results, 80)
    head = next(line for line in narrow if "images/s" in line)
    assert len(head) <= 80 and "rounds" not in head
    assert any(line.startswith("too narrow for ") and "rounds" in line for line in narrow)
    wide = printed(results, 200)
    asked_for = {column.title for metric in METRICS.values() if metric.asked_for for column in metric.columns}
    assert all(
        column.title in "\n".join(wide)
        for column in COLUMNS
        if column.title not in {"device", "J/image", *asked_for}
    )
    assert not any(line.startswith("too narrow") for line in wide)


def test_a_column_without_any_value_takes_no_room():
    results = summarise([run([record(cell("onnxrt", 8), parity=None)], rounds=1)])
    assert "error" not in next(line for line in printed(results, 200) if "images/s" in line)


def test_what_a_run_lacks_is_said_with_the_way_to_go_on():
    import dataclasses

    import msgspec

    lacking = run(rounds_of(cell("onnxrt", 8), [100.0, 101.0]), path="my runs/r", rounds=3)
    said = "incomplete: 1 of 3 planned measurements (a cell in one round) is missing"
    assert said in printed(summarise([lacking]), 200)
    begun_here = dataclasses.replace(
        lacking, info=msgspec.structs.replace(lacking.info, request={"model": {}})
    )
    results = summarise([begun_here])
    assert f"{said}: inferometer run --resume 'my runs/r'" in printed(results, 200)
    assert said in to_html(results)
    assert not any("incomplete" in line for line in printed(summarise([several()]), 200))
