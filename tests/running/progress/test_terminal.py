"""What watchers of a run are shown."""

import io
import re

import pytest
from rich.console import Console
from rich.progress import Progress

from inferometer.records import Record
from inferometer.running.progress.countdown import Countdown
from inferometer.running.progress.notebook import NotebookObserver
from inferometer.running.progress.terminal import BarObserver, LineObserver
from simulated_runs import cell, record


class Page:
    """Keeps what a notebook's output has said."""

    def __init__(self):
        self.created, self.shown = 0, []

    def create(self, shown):
        self.created += 1
        self.shown.append(shown)
        return self

    def update(self, shown):
        self.shown.append(shown)


def watched():
    page = Page()
    return page, NotebookObserver(page.create)


def test_a_notebook_has_one_output_that_ends_with_the_count_and_the_failures():
    page, observer = watched()
    cells = [cell(batch_size=8), cell(batch_size=16)]
    observer.preparing("building <onnxrt>")
    observer.started(cells, dict.fromkeys(cells, 10.0))
    observer.cell_phase(cells[0], 0, "loops")
    observer.cell_ended(record(cells[0]))
    observer.cell_phase(cells[1], 0, "load")
    observer.cell_ended(Record(cells[1], 0, "out-of-memory", cause="asked <9 GiB>"))
    observer.close()
    assert page.created == 1
    assert "building &lt;onnxrt&gt;" in page.shown[0].markup and "building <onnxrt>" in repr(page.shown[0])
    assert 'max="2" value="1"' in page.shown[3].markup and "about 10.0 s left" not in page.shown[2].text
    assert page.shown[-1].text.splitlines()[0] == "2 of 2 cells ended"
    assert "asked &lt;9 GiB&gt;" in page.shown[-1].markup and "<progress" not in page.shown[-1].markup


def test_a_run_that_never_began_shows_nothing():
    page, observer = watched()
    observer.close()
    assert page.shown == []


GPUS = ("cuda:0", "cuda:1")
CELLS = [cell(batch_size=size, device=device) for device in GPUS for size in (8, 16)]
NOMINAL = dict(zip(CELLS, (10.0, 20.0, 100.0, 200.0), strict=True))


def seconds(a_cell, elapsed_s):
    return record(a_cell, elapsed_s=elapsed_s)


def test_the_time_left_is_that_of_the_slower_device_where_they_are_measured_at_once():
    assert Countdown(CELLS, NOMINAL).text() == "about 5 min 30 s left"
    at_once = Countdown(CELLS, NOMINAL, at_once=True)
    assert at_once.text() == "about 5 min 00 s left"
    at_once.end(seconds(CELLS[2], 100.0))
    assert at_once.text() == "about 3 min 20 s left"
    at_once.end(seconds(CELLS[3], 200.0))
    assert at_once.text() == "about 30.0 s left"


def test_with_a_time_limit_the_time_left_is_the_limits_or_that_of_the_round_that_has_begun():
    now = [0.0]
    cells = [cell(batch_size=8), cell(batch_size=16)]
    nominal = dict.fromkeys(cells, 30.0)
    limited = Countdown(cells * 5, nominal, limit_s=100.0, clock=lambda: now[0])
    assert limited.text() == "about 1 min 40 s left"  # of 300 s
    now[0] = 80.0
    for _ in range(2):
        limited.end(seconds(cells[0], 30.0))
    limited.end(seconds(cells[1], 30.0))
    assert limited.text() == "about 30.0 s left"  # of the second round; the limit leaves 20 s
    short = Countdown(cells, nominal, limit_s=1000.0, clock=lambda: now[0])
    assert short.text() == "about 1 min 00 s left"


def test_lines_with_a_time_limit_count_down_to_it():
    text = io.StringIO()
    observer = LineObserver(Console(file=text, width=200))
    observer.time_limit(400.0)
    observer.started(CELLS * 5, NOMINAL)
    assert re.match("measuring 20 cells, about 6 min (40|39) s left", text.getvalue())


def test_lines_count_down_both_devices():
    text = io.StringIO()
    observer = LineObserver(Console(file=text, width=200))
    observer.at_once(GPUS)
    observer.started(CELLS, NOMINAL)
    observer.cell_ended(seconds(CELLS[2], 100.0))
    lines = text.getvalue().splitlines()
    assert lines[0] == "cuda:0, cuda:1: measured at once"
    assert lines[1] == "measuring 4 cells, about 5 min 00 s left"
    assert lines[2].startswith("[1/4] round 1, onnxrt on cuda:1, batch size 8:")
    assert lines[2].endswith("; about 3 min 20 s left")


@pytest.mark.parametrize(
    ("cells", "told"), [(CELLS[:1], "measuring 1 cell, about"), ((), "nothing is missing: every cell")]
)
def test_one_cell_and_none_are_told_as_such(cells, told):
    text = io.StringIO()
    LineObserver(Console(file=text, width=200)).started(cells, NOMINAL)
    assert text.getvalue().startswith(told) and text.getvalue().count("\n") == 1


def test_each_device_has_a_bar_that_says_what_runs_there():
    console = Console(file=io.StringIO(), width=200, force_terminal=True)
    progress = Progress(console=console, auto_refresh=False)
    observer = BarObserver(progress)
    observer.at_once(GPUS)
    observer.started(CELLS, NOMINAL)
    observer.cell_phase(CELLS[0], 0, "loops")
    observer.cell_phase(CELLS[2], 1, "load")
    first, second = progress.tasks
    assert first.description == "round 1, onnxrt on cuda:0, batch size 8: loops"
    assert second.description == "round 2, onnxrt on cuda:1, batch size 8: load"
    assert (first.total, first.fields["left"]) == (2, "about 30.0 s left")
    assert (second.total, second.fields["left"]) == (2, "about 5 min 00 s left")
    observer.cell_ended(seconds(CELLS[0], 10.0))
    assert (first.completed, first.fields["left"], second.completed) == (1, "about 20.0 s left", 0)


def test_a_second_stage_has_the_same_bars_anew():
    progress = Progress(console=Console(file=io.StringIO(), force_terminal=True), auto_refresh=False)
    observer = BarObserver(progress)
    for _ in range(2):
        observer.at_once(GPUS)
        observer.started(CELLS, NOMINAL)
    assert [(bar.total, bar.completed) for bar in progress.tasks] == [(2, 0), (2, 0)]


def test_in_turn_there_is_one_bar():
    progress = Progress(console=Console(file=io.StringIO(), force_terminal=True), auto_refresh=False)
    observer = BarObserver(progress)
    observer.started(CELLS, NOMINAL)
    observer.cell_phase(CELLS[2], 0, "loops")
    (bar,) = progress.tasks
    assert bar.description == "round 1, onnxrt on cuda:1, batch size 8: loops"
    assert (bar.total, bar.fields["left"]) == (4, "about 5 min 30 s left")


def test_a_notebook_says_what_each_device_is_at():
    page, observer = watched()
    observer.at_once(GPUS)
    observer.started(CELLS, NOMINAL)
    observer.cell_phase(CELLS[0], 0, "loops")
    observer.cell_phase(CELLS[2], 0, "load")
    assert page.shown[-1].text == (
        "0/4, about 5 min 00 s left; round 1, onnxrt on cuda:0, batch size 8: loops; "
        "round 1, onnxrt on cuda:1, batch size 8: load"
    )
