"""Footnotes: told once, and only where they concern what is shown."""

import msgspec

from inferometer import tables
from inferometer.flags import flag
from inferometer.records import Record
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from inferometer.tables import overview
from inferometer.tables.text import MARKS, WITHIN, legend
from simulated_runs import cell, record, rounds_of, run

CUT = "short warm-up: the time budget of 6 s ended it after {} of 50 batches; the first loops may be slow"
IN_STEP = (
    "energy may be off: the loops keep time with the power meter, so that it may see one part of them too often; "
    "try another batch size or more loops"
)


def cut(done):
    return flag("warmup-cut", done=done, asked=50, budget_s=6.0)


def in_step(piece_s):
    return flag("aliasing", device="GPU-1", pieces="loops", piece_s=piece_s, period_s=0.1)


def flagged(size, *flags):
    return msgspec.structs.replace(record(cell("tf", size), rate=100.0, power_w=50.0), flags=flags)


def table(metric):
    records = [
        flagged(8, cut(12), in_step(0.0965)),
        flagged(16, cut(7)),
        flagged(32, in_step(0.203)),
        flagged(64),
        Record(cell("tf", 128), 0, "out-of-memory", cause="asked for 9 GiB, 1 GiB free"),
        Record(cell("tf", 256), 0, "skipped", cause="asked for 18 GiB, 1 GiB free"),
    ]
    (built,) = tables.build(summarise([run(records, "a")]), METRICS[metric])
    return built


def numbers(built):
    return [row.cells[0].note for row in built.rows]


def test_flags_that_differ_in_numbers_only_are_one_footnote():
    built = table("power")
    assert built.notes[:2] == (CUT.format("7 to 12"), IN_STEP)
    assert numbers(built)[:4] == ["1, 2", "1", "2", ""]


def test_what_concerns_joules_stands_below_tables_of_joules_only():
    built = table("throughput")
    assert built.notes[0] == CUT.format("7 to 12")
    assert numbers(built)[:4] == ["1", "1", "", ""]
    assert not any(note.startswith("energy") for note in built.notes)


def test_a_cause_stands_for_itself():
    built = table("throughput")
    assert built.notes[1:] == ("asked for 9 GiB, 1 GiB free", "asked for 18 GiB, 1 GiB free")
    assert numbers(built)[4:] == ["2", "3"]


def test_rounds_whose_flags_differ_in_numbers_give_a_cell_one_number():
    rounds = [
        msgspec.structs.replace(record(cell("tf"), number, rate=100.0), flags=(cut(10 + number),))
        for number in range(3)
    ]
    (built,) = tables.build(summarise([run(rounds, "a")]), METRICS["throughput"])
    assert built.notes == (CUT.format("10 to 12"),)
    assert numbers(built) == ["1"]


def test_intervals_within_one_process_are_told_once_or_by_a_footnote():
    alone = record(cell("tf"), noise=0.01)
    pair = [record(cell("onnxrt"), n, rate) for n, rate in enumerate((900.0, 1000.0))]

    def told(records):
        (built,) = tables.build(summarise([run(records)]), METRICS["throughput"])
        return legend(built, MARKS, True)[-1], numbers(built), built.notes

    plain = "± half width of the 95 % interval"
    assert told([alone]) == (plain + WITHIN, [""], ())
    assert told(pair) == (plain, [""], ())
    note = "± is from a single process: another one may differ by more; add rounds to know"
    assert told([alone, *pair]) == (plain, ["1", ""], (note,))


def test_percentiles_of_too_few_batches_have_a_footnote_and_say_so_in_csv():
    results = summarise([run([record(cell(batch_size=1), images=n, loops=1) for n in (200,)])])
    (built,) = tables.build(results, METRICS["p99"])
    text = "rough p99: 200 batches timed where 1,000 are needed; more loops or rounds firm it up"
    assert (numbers(built), built.notes) == (["1"], (text,))
    (row,) = tables.long_rows(results, METRICS["p99"])
    assert row["source"] == f"within one process; {text}"


def test_the_half_width_is_the_larger_half_in_every_table():
    results = summarise([run([record(cell(), n, rate) for n, rate in enumerate((400.0, 500.0, 600.0))])])
    (built,) = tables.build(results, METRICS["throughput"])
    estimate = results.summaries[0].throughput
    share = 100 * (estimate.high / estimate.value - 1)
    assert built.rows[0].cells[0].spread == f"±{share:.0f} %"
    (shown,) = [c.text(results.summaries[0]) for c in overview.columns(results) if c.title == "±95 %"]
    assert shown == f"{share:.1f} %"


def test_a_table_says_of_which_cells_nothing_is_judged():
    def told(*records):
        (built,) = tables.build(summarise([run([*records])]), METRICS["throughput"])
        return [line for line in legend(built, MARKS, True) if "judged" in line]

    one, other = record(cell("tf"), rate=990.0), record(cell(), rate=1000.0)
    assert told(one, other) == [
        "which row is better is not judged: how much another run would differ is not known"
    ]
    assert told(one) == []
    assert told(*rounds_of(cell("tf"), [500.0, 501.0]), *rounds_of(cell(), [1000.0, 1010.0])) == []
