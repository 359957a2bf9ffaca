"""How long a run will still take."""

from inferometer.records import Cell, Record
from inferometer.running.progress.time_left import TimeLeft


def cell(framework):
    return Cell("m", framework, "fp32", 8, "cpu", "host")


def test_only_measured_cells_say_how_fast_the_machine_is():
    left = TimeLeft({cell(name): 10.0 for name in "abc"})
    left.add(Record(cell("a"), 0, "skipped", elapsed_s=0.0))
    assert left.of([cell("c")]) == 10.0
    left.add(Record(cell("b"), 0, "ok", elapsed_s=20.0))
    assert left.of([cell("c")]) == 20.0
    assert left.of([cell("a")]) == 0.0  # skipped again in the next round
