"""Who is marked as the best, as a tie, or with a flag."""

from inferometer.flags import flag
from inferometer.records import Loop, Record, Skip
from inferometer.results.metrics import METRICS
from inferometer.results.ranking import rank_cells
from inferometer.results.summary import summarise
from inferometer.results.tie_test import TieTest
from inferometer.tables import overview
from simulated_runs import cell, record, rounds_of, run
from summaries_of import only, told_of


def test_one_round_each_is_not_judged():
    """Neither by their loops nor by what a meter claims: the next process may order them otherwise."""
    results = summarise([run([record(cell("a"), rate=1000.0, power_w=50.0), record(cell("b"), rate=500.0)])])
    places = list(rank_cells(results.summaries, METRICS["throughput"]).values())
    assert [place.best for place in places] == [True, False]
    assert not any(place.judged or place.tie for place in places)
    assert not any(summary.judged for summary in results.summaries)


def test_nobody_leads_by_less_than_a_clock_can_tell():
    """Differences without any noise, below the floor and above it."""
    for lead, standing in ((1.0005, "tie"), (1.01, "told")):
        records = [*rounds_of(cell("a"), [1000.0 * lead] * 3), *rounds_of(cell("b"), [1000.0] * 3)]
        results = summarise([run(records)])
        assert [p.standing for p in rank_cells(results.summaries, METRICS["throughput"]).values()] == [
            standing
        ] * 2
    fast = [
        Record(cell(name), n, "ok", images=1, loops=(Loop(seconds),) * 3)
        for name, seconds in (("a", 1e-6), ("b", 1.01e-6))
        for n in range(3)
    ]
    places = rank_cells(summarise([run(fast)]).summaries, METRICS["throughput"])
    assert {place.standing for place in places.values()} == {"tie"}


def test_a_tie_for_the_number_of_pairs_alone_is_called_unclear():

    def judged(slower):
        rates = {"a": [1000.0, 1004.0, 1008.0], "b": [999.0 - slower, 1007.0 - slower, 1004.0 - slower]}
        results = summarise([run([r for f, found in rates.items() for r in rounds_of(cell(f), found)])])
        return TieTest(results.summaries, METRICS["throughput"]), *results.summaries

    shifts = (0.1 * step for step in range(1000))
    slower = next(s for s in shifts if (t := judged(s))[0].judge(*t[1:]).p <= 0.05)
    test, best, other = judged(slower)
    assert test.judge(best, other).standing == "told"
    more = rounds_of(cell("c"), [600.0, 600.0, 600.0])  # three pairs where there was one
    crowd = summarise([run([*best.records, *other.records, *more])])
    test = TieTest(crowd.summaries, METRICS["throughput"])
    found = test.judge(*crowd.summaries[:2])
    assert found.standing == "unclear" and found.p > 0.05


def test_a_condemned_round_is_never_ranked_and_an_unlucky_one_is_flagged():
    slow, odd = cell("tf"), cell("torch")
    records = [
        *rounds_of(cell(), [1000.0, 1001.0, 1002.0]),
        *rounds_of(slow, [9000.0, 9000.0]),
        Record(slow, 2, "parity-failed", cause="max_rel 0.3 above 0.001"),
        *rounds_of(odd, [900.0, 901.0]),
        Record(odd, 2, "crashed", cause="SIGSEGV"),
    ]
    good, bad, flagged = summarise([run(records)]).summaries
    assert good.best and not bad.best and not bad.ranked
    assert bad.status == "parity-failed" and "1 of 3 rounds" in bad.cause
    assert flagged.ranked and flagged.flags == (
        flag("rounds-failed", bad=1, ended=3, status="crashed", cause="SIGSEGV"),
    )


def test_skips_and_failures_carry_their_cause():
    skip = Skip(cell("tensorrt"), "no tensorrt package; install it")
    results = summarise([run([Record(cell("jax"), 0, "out-of-memory", cause="asked 9 GiB")], skips=[skip])])
    assert [(s.status, s.cause) for s in results.summaries] == [
        ("out-of-memory", "asked 9 GiB"),
        ("skipped", "no tensorrt package; install it"),
    ]


def test_a_failure_names_its_device_where_there_are_several():
    failed = Record(cell("jax"), 0, "out-of-memory", cause="asked 9 GiB")
    alone = summarise([run([failed, record(cell())])])
    assert overview.failures(alone) == ["jax at 8: out-of-memory: asked 9 GiB"]
    several = summarise([run([failed, record(cell(device="cuda:1"))])])
    assert overview.failures(several) == ["jax at 8 on cuda:0: out-of-memory: asked 9 GiB"]


def test_the_mark_of_the_best_says_among_whom():
    def meaning(*cells, skips=()):
        runs = [run([record(cell) for cell in cells], skips=skips)]
        return told_of(summarise(runs))[0].partition(";")[0]

    assert meaning(cell()) == "▲ highest throughput of its batch size"
    assert meaning(cell(), cell(mode="device")) == "▲ highest throughput of its batch size and mode"
    two = cell(device="cuda:0"), cell(device="cuda:1", mode="device")
    assert meaning(*two) == "▲ highest throughput of its batch size, mode and device"
    assert meaning(cell(), cell(model="other")) == "▲ highest throughput of its batch size and model"
    skipped = Skip(cell(mode="device"), "no such mode")
    assert meaning(cell(), skips=[skipped]) == "▲ highest throughput of its batch size"


def test_rows_of_one_process_are_said_not_to_be_judged():
    def meaning(*records):
        return told_of(summarise([run([*records])]))[0].partition("; ")[2]

    unknown = "how much another run would differ is not known"
    one, other = record(cell(), rate=1000.0), record(cell("tf"), rate=990.0)
    assert meaning(one, other) == f"which row is faster is not judged: {unknown}"
    first, near = rounds_of(cell(), [1000.0, 1010.0]), rounds_of(cell("tf"), [1001.0, 1008.0])
    assert meaning(*first, *near).startswith("≈ may be as fast") and "judged" not in meaning(*first, *near)
    slow = rounds_of(cell("tf"), [500.0, 501.0])
    assert meaning(*first, *slow) == meaning(*first) == "", "no row has the sign"


def test_a_percentile_of_too_few_batches_is_marked_and_one_of_enough_is_not():
    few, enough = (
        summarise([run([record(cell(batch_size=1), images=count, loops=1)])]) for count in (999, 1000)
    )
    assert few.summaries[0].p50.remark == few.summaries[0].p90.remark is None
    text = "rough p99: 999 batches timed where 1,000 are needed; more loops or rounds firm it up"
    assert few.summaries[0].p99.remark == flag("few-batches", level=99, batches=999, needed=1000)
    assert overview.flat_rows(few)[0]["p99_remark"] == text
    assert f"~ {text}" in told_of(few)
    assert enough.summaries[0].p99.remark is None
    assert overview.flat_rows(enough)[0]["p99_remark"] == ""
    assert not any(line.startswith("~") for line in told_of(enough))
    shown = {c.title: c.text for c in overview.columns(few)}["p99 ms"]
    assert shown(few.summaries[0]).startswith("~") and not shown(enough.summaries[0]).startswith("~")


def test_intervals_within_one_process_are_said_to_be():
    def line(results):
        return [note for note in told_of(results) if note.startswith("±95 %")]

    alone = [record(cell(), noise=0.01)]
    text = "±95 % is from a single process: another one may differ by more; add rounds to know"
    assert line(summarise([run(alone)])) == [text]
    pair = rounds_of(cell("tf"), [1.0, 2.0])
    assert line(summarise([run(pair)])) == []
    assert line(summarise([run([*alone, *pair])])) == [f"{text}: onnxrt at 8"]


def test_a_width_beyond_ten_times_the_figure_is_no_number():
    def shown(rates):
        results = summarise([run(rounds_of(cell(), rates))])
        return {c.title: c.text for c in overview.columns(results)}["±95 %"](results.summaries[0])

    assert shown([1.0, 100.0, 5000.0]) == ">1000 %"
    assert shown([100.0, 101.0, 102.0]) == "2.5 %"


def test_an_interruption_does_not_replace_a_result():
    summary = only([record(cell()), Record(cell(), 0, "interrupted")])
    assert summary.status == "ok" and summary.rounds == 1


def test_best_and_tie_by_paired_rounds_despite_drift():
    drift = [1.0, 0.9, 0.8]  # the machine slows down for everyone
    records = [
        *rounds_of(cell("a"), [1000 * d * e for d, e in zip(drift, (1, 1.001, 0.999), strict=True)]),
        *rounds_of(cell("b"), [1000 * d * e for d, e in zip(drift, (0.9995, 1, 1.0002), strict=True)]),
        *rounds_of(cell("c"), [900 * d * e for d, e in zip(drift, (1.001, 1, 0.999), strict=True)]),
    ]
    a, b, c = summarise([run(records)]).summaries
    assert a.tie and b.tie and a.best != b.best
    assert not c.tie and not c.best


def test_best_overall_is_one_cell_a_machine():
    records = [record(cell(batch_size=b), rate=r) for b, r in ((8, 1000.0), (16, 1500.0), (32, 1400.0))]
    results = summarise([run(records)])
    assert [s.cell.batch_size for s in results.summaries if s.best_overall] == [16]
    assert all(s.best for s in results.summaries)


def test_modes_are_never_ranked_against_each_other():
    results = summarise([run([record(cell(), rate=100.0), record(cell(mode="device"), rate=900.0)])])
    assert [s.best for s in results.summaries] == [True, True]
    assert results.sections == (("mobilenet", "host"), ("mobilenet", "device"))


def test_every_metric_has_a_name_of_its_own():
    from inferometer.results import metrics

    entries = [m.name for family in metrics._FAMILIES for m in family.METRICS]
    assert list(METRICS) == entries
