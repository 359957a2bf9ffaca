"""What is said of rows on the user's own data: shares with their intervals, and what was lost against fp32."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from evaluated_runs import evaluated_run
from inferometer.errors import StoreError
from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.recommend import recommend
from inferometer.results.accuracy import half_width, what_so_many_tell
from inferometer.results.metrics import METRICS
from inferometer.results.paired import Paired
from inferometer.results.shares import wilson
from inferometer.results.summary import summarise
from inferometer.tables import build
from inferometer.tables.accuracy_notes import accuracy_notes
from inferometer.tables.overview import columns, flat_rows

N = 1000
RIGHT = np.arange(N) % 10
FP32, INT8, BAD = ("onnxrt", "fp32"), ("onnxrt", "int8"), ("onnxrt:bad", "int8")


def wrong_at(*places, base=RIGHT):
    answers = base.copy()
    answers[list(places)] += 1  # its first five classes hold the right one no more
    answers %= 10
    return answers


EXACT = wrong_at(*range(20))
GOOD = wrong_at(*range(18), 500, 501, 502)  # two won back, three lost
WORSE = wrong_at(*range(120))  # a hundred lost


@pytest.fixture
def results(tmp_path):
    answers = {FP32: EXACT, INT8: GOOD, BAD: WORSE}
    rates = {FP32: 1000.0, INT8: 2000.0, BAD: 3000.0}
    return summarise([evaluated_run(tmp_path / "run", RIGHT, answers, rates=rates)])


def of(results, row):
    return next(s for s in results.summaries if (s.cell.framework, s.cell.precision) == row)


def test_top1_and_top5_are_k_of_n_with_wilsons_interval(results):
    found = of(results, FP32)
    assert (found.accuracy.value, found.accuracy.source) == (0.98, "980 of 1000 images")
    assert (found.accuracy.low, found.accuracy.high) == wilson(980, 1000)
    assert found.evaluated.top5.value == pytest.approx(0.98)
    assert METRICS["accuracy"].of(found) is found.accuracy


def test_what_is_lost_is_paired_with_fp32(results):
    found = of(results, INT8).evaluated
    assert (found.paired.lost, found.paired.won, found.paired.n) == (3, 2, N)
    assert found.loss.value == pytest.approx(0.001)
    assert (found.loss.low, found.loss.high) == Paired(N, 3, 2).interval
    assert found.agreement.source == "995 of 1000 images"
    assert "not shown equal to onnxrt fp32, nor different: it may lose" in found.words()
    assert "right less often than onnxrt fp32 by 8.3 % to 12 %" in of(results, BAD).evaluated.words()


def test_another_framework_is_held_against_the_first_fp32_row(tmp_path):
    run = evaluated_run(tmp_path / "run", RIGHT, {("torch", "bf16"): GOOD, FP32: EXACT})
    found = of(summarise([run]), ("torch", "bf16")).evaluated
    assert found.reference.cell.framework == "onnxrt"
    own = {("onnxrt", "fp32"): WORSE, ("torch", "fp32"): EXACT, ("torch", "bf16"): GOOD}
    found = of(summarise([evaluated_run(tmp_path / "own", RIGHT, own)]), ("torch", "bf16")).evaluated
    assert found.reference.cell.framework == "torch"


def test_without_fp32_there_is_no_loss_and_the_reason(tmp_path):
    found = of(summarise([evaluated_run(tmp_path / "run", RIGHT, {INT8: GOOD})]), INT8)
    assert found.evaluated.loss is None
    assert METRICS["accuracy_loss"].why_none(found) == ("no fp32", "no fp32 row was evaluated beside it")


def test_a_file_that_is_quantised_itself_has_no_fp32(tmp_path):
    conversions = {
        "onnx": {"stored": "int8"},
        "onnx-int8": {"stored": "int8", "route": ["onnx", "onnx-int8"]},
    }
    run = evaluated_run(tmp_path / "run", RIGHT, {FP32: EXACT, INT8: GOOD}, conversions=conversions)
    assert of(summarise([run]), INT8).evaluated.loss is None
    conversions.pop("onnx")
    run = evaluated_run(tmp_path / "own", RIGHT, {FP32: EXACT, INT8: GOOD}, conversions=conversions)
    assert of(summarise([run]), INT8).evaluated.loss is not None


def test_answers_that_are_not_finite_are_wrong_and_agree_with_nothing(tmp_path):
    lost = EXACT.copy()
    run = evaluated_run(tmp_path / "run", RIGHT, {FP32: EXACT, INT8: lost})
    from inferometer.storage.evaluations import read_arrays, write_arrays

    first = read_arrays(run.path, "accuracy/onnxrt-int8.npz", N)["first"]
    first[900:] = -1
    write_arrays(run.path, "accuracy/onnxrt-int8.npz", {"first": first})
    found = of(summarise([run]), INT8).evaluated
    assert found.paired.lost == 100
    assert found.agreement.source == "900 of 1000 images"


def test_what_so_many_images_tell():
    assert half_width(381) <= 0.05 < half_width(380)
    assert wilson(190, 380)[1] - 0.5 == pytest.approx(half_width(380))
    assert what_so_many_tell(100) == "100 images tell a share to ±9.6 % at worst; ±5 % takes 381"
    assert what_so_many_tell(10_000) == "10,000 images tell a share to ±0.98 % at worst"


def test_tables_have_it(results):
    titles = [column.title for column in columns(results)]
    assert {"top-1", "lost to fp32"} <= set(titles)
    row = next(row for row in flat_rows(results) if row["precision"] == "fp32")
    assert (row["accuracy"], row["agreement"], row["accuracy_loss"]) == (0.98, 1.0, 0.0)
    (table,) = build(results, METRICS["accuracy"])
    assert {row.label: row.cells[0].text for row in table.rows} == {
        "onnxrt fp32": "98.00", "onnxrt int8": "97.90", "onnxrt:bad int8": "88.00",
    }  # fmt: skip
    assert table.rows[0].cells[0].spread == "[96.9, 98.7]"
    (lost,) = build(results, METRICS["accuracy_loss"])
    ends = [Paired(N, *counts).interval for counts in ((3, 2), (100, 0))]
    told = [f"[{100 * low:.3g}, {100 * high:.3g}]" for low, high in ends]
    assert [row.cells[0].spread for row in lost.rows] == ["", *told]
    assert not any(cell.best for row in table.rows for cell in row.cells)


def test_tables_of_few_images_say_what_so_many_tell(tmp_path):
    results = summarise([evaluated_run(tmp_path / "few", RIGHT[:100], {FP32: EXACT[:100]})])
    (table,) = build(results, METRICS["accuracy"])
    assert table.notes == ("100 images tell a share to ±9.6 % at worst; ±5 % takes 381",)
    enough = summarise([evaluated_run(tmp_path / "enough", RIGHT[:381], {FP32: EXACT[:381]})])
    assert build(enough, METRICS["accuracy"])[0].notes == ()


def test_notes_say_what_the_data_carry(results):
    notes = accuracy_notes(results)
    assert notes[0].words.startswith("accuracy on digits.npz: 1,000 images tell a share to ±3.1 % at worst")
    assert any("980 of 1000 images: 98.0 % (96.9 to 98.7 %)" in detail for detail in notes[0].details)
    said = [note.words for note in notes[1:]]
    assert said[0].startswith("accuracy of onnxrt int8: not shown equal")
    assert "right less often" in said[1]


def test_ranges_of_generated_inputs_are_told_unless_others_were_given(tmp_path):
    run = evaluated_run(tmp_path / "run", RIGHT, {FP32: EXACT, INT8: GOOD})
    assert run.info.dataset

    def told(model, request):
        info = msgspec.structs.replace(run.info, model=model, request={"model": request})
        found = accuracy_notes(summarise([replace(run, info=info)]))
        return any("learnt its ranges from generated inputs" in note.words for note in found)

    made_up = msgspec.structs.replace(run.info.model, inputs_note="inputs generated: x normal(0, 1)")
    assert told(made_up, {})
    assert not told(made_up, {"calibration": "photos"})
    assert not told(run.info.model, {})


def test_a_row_evaluated_besides_is_named(tmp_path):
    run = evaluated_run(tmp_path / "run", RIGHT, {FP32: EXACT, INT8: GOOD}, beside=(FP32,))
    results = summarise([run])
    assert [s.cell.precision for s in results.summaries] == ["int8"]
    assert "onnxrt fp32 was evaluated besides, as what others are held against" in [
        note.words for note in accuracy_notes(results)
    ]


def test_a_row_that_could_not_be_evaluated_says_why(tmp_path):
    run = evaluated_run(tmp_path / "run", RIGHT, {FP32: EXACT}, failed=(INT8,))
    results = summarise([run])
    assert of(results, INT8).not_evaluated == "crashed: worker died of SIGSEGV"
    assert METRICS["accuracy"].why_none(of(results, INT8))[1] == "crashed: worker died of SIGSEGV"
    assert "accuracy not known of onnxrt int8: crashed" in accuracy_notes(results)[-1].words


def test_runs_without_a_data_set_say_nothing_of_it(tmp_path):
    from simulated_runs import cell, rounds_of, run

    results = summarise([run(rounds_of(cell(), [1000.0, 1010.0]))])
    assert accuracy_notes(results) == []
    assert "top-1" not in [column.title for column in columns(results)]
    assert METRICS["accuracy"].why_none(results.summaries[0]) == ("not evaluated", "no data set: --dataset")


def test_damaged_answers_are_one_line(tmp_path):
    run = evaluated_run(tmp_path / "run", RIGHT, {FP32: EXACT})
    (run.path / "accuracy" / "onnxrt-fp32.npz").unlink()
    with pytest.raises(StoreError, match=r"cannot read .*onnxrt-fp32.npz: No such file"):
        summarise([run])


def test_the_page_and_the_other_reports_have_it(results):
    from inferometer.report.markdown import render_markdown
    from inferometer.report.page.html import render

    page = render(results)
    assert "Top-1 accuracy on the data set" in page and "Accuracy lost against fp32" in page
    assert "Top-1 accuracy on the data set" in render_markdown(results, title="t")


def test_pages_of_runs_without_a_data_set_do_not_speak_of_it():
    from inferometer.report.page.html import render
    from simulated_runs import cell, rounds_of, run

    assert "on the data set" not in render(summarise([run(rounds_of(cell(), [1000.0, 1010.0]))]))


def test_rows_that_were_not_evaluated_yet_are_told(tmp_path):
    from inferometer.results.completeness import unfinished
    from inferometer.storage.run_directory import read_run

    run = evaluated_run(tmp_path / "run", RIGHT, {FP32: EXACT, INT8: GOOD})
    assert unfinished(summarise([run])) == []
    lines = (run.path / "accuracy.jsonl").read_text().splitlines(keepends=True)
    (run.path / "accuracy.jsonl").write_text(lines[0])
    assert unfinished(summarise([read_run(run.path)])) == [
        f"incomplete: 1 of 2 rows have no accuracy yet: inferometer run --resume {run.path}"
    ]


def test_answers_to_two_data_sets_are_not_compared(results, tmp_path):
    from inferometer.comparison.compare import compare

    other = summarise([evaluated_run(tmp_path / "other", RIGHT, {FP32: EXACT}, data="abcdef0123")])
    alike = summarise([evaluated_run(tmp_path / "alike", RIGHT, {FP32: EXACT})])
    (change,) = (c for c in compare(results, other, METRICS["accuracy"]).changes if c.first and c.second)
    assert (change.verdict, change.reason) == (
        "not comparable",
        "other data set, labels or preprocessing: 01234567 / abcdef01",
    )
    (change,) = (c for c in compare(results, alike, METRICS["accuracy"]).changes if c.first and c.second)
    assert change.verdict == "tie"


def test_merged_runs_keep_it(tmp_path):
    from inferometer.storage.merge import merge, write
    from inferometer.storage.run_directory import read_run

    first = evaluated_run(tmp_path / "a", RIGHT, {FP32: EXACT})
    second = evaluated_run(tmp_path / "b", RIGHT, {INT8: GOOD})
    ((path, _, _),) = write(merge([first, second]), tmp_path / "out")
    results = summarise([read_run(path)])
    assert of(results, FP32).accuracy.source == "980 of 1000 images"
    assert (of(results, INT8).evaluated.paired.lost, of(results, INT8).evaluated.paired.won) == (3, 2)


# recommend ----------------------------------------------------------------------------------------------------------


def chosen(results, **limits):
    (decision,) = recommend(results, Constraints(**limits))
    return decision


def test_the_bound_is_held_against_the_limit_not_the_point(results):
    assert chosen(results).choice.summary.cell.framework == "onnxrt:bad"
    found = chosen(results, max_accuracy_loss=0.01)
    assert found.choice.summary.row == "onnxrt int8"
    assert dict(found.refused) == {"accuracy loss above 1 %": 1}
    # 0.1 % lost, yet no 0.5 % that so few images could exclude
    assert Paired(N, 3, 2).interval[1] > 0.005 > of(results, INT8).evaluated.loss.value
    found = chosen(results, max_accuracy_loss=0.005)
    assert found.choice.summary.cell.precision == "fp32"
    assert dict(found.refused) == {"accuracy loss above 0.5 %": 1, "accuracy not shown equal within 0.5 %": 1}


def test_the_least_accuracy_is_held_by_its_lower_bound(results):
    assert chosen(results, min_accuracy=0.85).choice.summary.cell.framework == "onnxrt:bad"
    assert dict(chosen(results, min_accuracy=0.87).refused) == {"accuracy not shown to reach 87 %": 1}
    found = chosen(results, min_accuracy=0.99)
    assert found.choice is None
    assert dict(found.refused) == {"accuracy below 99 %": 3}
    assert "limit 99 %" in found.nearest


def test_what_was_not_evaluated_breaks_the_limits(tmp_path):
    from simulated_runs import cell, rounds_of, run

    results = summarise([run(rounds_of(cell(), [1000.0, 1010.0, 1005.0]))])
    assert dict(chosen(results, min_accuracy=0.5).refused) == {
        "accuracy not known (no data set: --dataset)": 1
    }
    assert dict(chosen(results, max_accuracy_loss=0.5).refused) == {
        "accuracy loss not known (no data set: --dataset)": 1
    }
