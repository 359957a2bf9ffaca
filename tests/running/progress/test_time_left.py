"""How long a run will still take."""

from inferometer.frameworks.catalogue import FRAMEWORKS
from inferometer.models.contract import ModelSize
from inferometer.records import Cell, Protocol, Record
from inferometer.running.progress.time_left import TimeLeft, nominal_times


def cell(framework):
    return Cell("m", framework, "fp32", 8, "cpu", "host")


def test_only_measured_cells_say_how_fast_the_machine_is():
    left = TimeLeft({cell(name): 10.0 for name in "abc"})
    left.add(Record(cell("a"), 0, "skipped", elapsed_s=0.0))
    assert left.of([cell("c")]) == 10.0
    left.add(Record(cell("b"), 0, "ok", elapsed_s=20.0))
    assert left.of([cell("c")]) == 20.0
    assert left.of([cell("a")]) == 0.0  # skipped again in the next round


def test_what_was_seen_of_a_framework_tells_more_of_it_than_others_do():
    sizes = [Cell("m", name, "fp32", size, "cpu", "host") for name in "ab" for size in (1, 8)]
    left = TimeLeft(dict.fromkeys(sizes, 10.0))
    left.add(Record(sizes[0], 0, "ok", elapsed_s=5.0))
    left.add(Record(sizes[2], 0, "ok", elapsed_s=40.0))
    assert left.of([sizes[1]]) == 5.0 and left.of([sizes[3]]) == 40.0
    assert left.of([cell("c")]) == 0.0  # of which there was no guess
    other = TimeLeft(dict.fromkeys([*sizes, cell("c")], 10.0))
    other.add(Record(sizes[0], 0, "ok", elapsed_s=5.0))
    other.add(Record(sizes[2], 0, "ok", elapsed_s=40.0))
    assert other.of([cell("c")]) == 22.5


def seconds(size, name="onnxrt", **protocol):
    cells = [Cell("m", name, "fp32", batch, "cpu", "host") for batch in (8, 1)]
    found = nominal_times(
        cells, lambda cell: FRAMEWORKS[cell.framework], Protocol(images=64, loops=10, **protocol), size
    )
    return [found[cell] for cell in cells]


MOBILENET, RESNET = ModelSize(5_507_432, 216_589_760), ModelSize(25_636_712, 3_857_973_248)


def test_the_guess_grows_with_the_model_and_an_unknown_size_is_a_mobilenet():
    assert seconds(ModelSize()) == seconds(MOBILENET)
    small, middle, large = (sum(seconds(size)) for size in (ModelSize(300, 50_000), MOBILENET, RESNET))
    assert 0 < small < middle / 2 and 5 * middle < large < 20 * middle
    assert sum(seconds(ModelSize(25_636_712))) > middle  # its preparation alone


def test_the_smallest_batch_of_a_worker_pays_for_its_start():
    eight, one = seconds(ModelSize(300, 50_000), "tf", warmup=0)
    assert one - eight > FRAMEWORKS["tf"].nominal_prepare_s / 4


def test_a_budget_cuts_the_guess():
    free, cut = seconds(RESNET, warmup=4), seconds(RESNET, warmup=4, budget_s=1.0, least_loops=1)
    assert sum(cut) < sum(free) / 3
