"""What watchers of a run are shown."""

from inferometer.notebook import NotebookObserver
from inferometer.records import Record
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
