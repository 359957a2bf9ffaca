"""A table put together line by line reads as rich's own."""

import io

import pytest
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inferometer.tables.grid import Grid

ROWS = [
    ("8", "onnxrt ▲", "1,234 ±1 %"),
    ("", "torch-compile:channels_last", "99.0\u00a0"),
    ("16", "名前", ""),
    ("512", "<b>[1]</b>", "*7.000 [2] "),
]
STYLES = ("", "bold", "green", "")
FORMS = [
    {"box": box.SIMPLE_HEAD, "pad_edge": False, "padding": (0, 1, 0, 0)},
    {"box": box.SIMPLE_HEAD, "pad_edge": False, "show_edge": False},
    {"box": box.ASCII, "pad_edge": False, "show_edge": False},
    {"box": box.HEAVY_HEAD},
]


def printed(kind, form, rows, width, colour=None):
    table = kind(**form)
    table.add_column("batch", justify="right", no_wrap=True)
    table.add_column("framework", overflow="fold", min_width=12)
    table.add_column(Text("GPU [0]"), justify="right")
    for row, style in zip(rows, STYLES, strict=True):
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row), style=style)
        if row[0] == "":
            table.add_section()
    file = io.StringIO()
    Console(file=file, width=width, color_system=colour, force_terminal=colour is not None).print(table)
    return file.getvalue()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("width", [200, 40])
def test_a_grid_reads_as_richs_table(form, width):
    assert printed(Grid, form, ROWS, width) == printed(Table, form, ROWS, width)


def test_several_lines_in_a_cell_are_left_to_rich():
    rows = [("1", "a\nb", "c"), *ROWS[1:]]
    assert printed(Grid, FORMS[3], rows, 200) == printed(Table, FORMS[3], rows, 200)


def test_a_rows_and_a_cells_colour_are_shown():
    rows = [*ROWS[:2], ("16", "keras", Text("5", style="black on red")), ROWS[3]]
    text = printed(Grid, FORMS[0], rows, 200, "truecolor")
    assert "\x1b[1mtorch-compile" in text
    assert "\x1b[32mkeras" in text
    assert "\x1b[30;41m" in text


def test_the_width_of_a_grid_is_what_it_prints():
    table = Grid(**FORMS[3])
    table.add_column("batch")
    table.add_row(Text("名前"))
    file = io.StringIO()
    Console(file=file, width=100).print(table)
    assert table.natural_width() == len(file.getvalue().splitlines()[0])


@pytest.mark.parametrize("width", [200, 30])
@pytest.mark.parametrize("rows", [ROWS, [(*row[:2], "plain") for row in ROWS[:1]], [("1", "a\nb", "c")]])
def test_texts_given_a_column_at_a_time_read_as_rows_of_them(rows, width):
    grid, table = Grid(**FORMS[0]), Table(**FORMS[0])
    styles = STYLES[: len(rows)]
    for each in (grid, table):
        each.add_column("batch", justify="right", no_wrap=True)
        each.add_column("framework", overflow="fold", min_width=12)
        each.add_column("±95 %", justify="right")
    grid.add_texts(list(zip(*rows, strict=True)), styles)
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*map(Text, row), style=style)
    printed = []
    for each in (grid, table):
        file = io.StringIO()
        Console(file=file, width=width).print(each)
        printed.append(file.getvalue())
    assert printed[0] == printed[1]
