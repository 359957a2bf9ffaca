"""How far a decision can be trusted, and how it comes about among equals."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from inferometer.flags import DISTURBED, flag
from inferometer.recommendation import render, wording
from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.recommend import recommend
from inferometer.records import Loop, Memory, Record
from inferometer.report.page.facts import extent
from inferometer.report.page.verdict import verdicts
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs
from simulated_runs import cell, record, rounds_of, run

EXAMPLES = Path(__file__).parents[2] / "examples"
QUIET = [1000.0, 1001.0, 999.0]
SLOWER = [900.0, 901.0, 899.0]
NOISY = ([1000.0, 1010.0, 990.0], [1004.0, 992.0, 1003.0])


def decide(records, **more):
    asked = {name: more.pop(name) for name in ("objective", "constraints") if name in more}
    (found,) = recommend(summarise([run(records, **more)]), **asked)
    return found


def reasons(decision):
    return [(r.grade, r.words) for r in decision.reasons]


def test_six_runs_of_which_one_row_survived_carry_no_verdict():
    """It was "Deploy torch", of 1 cell of 8, whose interval is 53 to 48,390 images/s (of loop rates 74 to 46,510)."""
    results = summarise(read_runs([EXAMPLES / "h100" / "faults"]))
    (found,) = recommend(results)
    assert found.grade == "none" and wording.headline(found).startswith("no verdict; ")
    said = [text for grade, text in reasons(found) if grade == "none"]
    assert said[:2] == ["3 of 4 frameworks gave no result", "no rival was measured"]
    assert "is known to 53.21 to 48,390 images/s only" in said[2]


def test_an_interrupted_run_claims_no_lead():
    """It was "2.6 times faster" than the rival's batch size 64, whose 512 was not measured yet."""
    results = summarise(read_runs([EXAMPLES / "h100" / "copies"]))
    (found,) = recommend(results)
    assert found.grade == "preliminary" and wording.headline(found).startswith("so far use onnxrt")
    assert "tfxla:naive fp32 at batch size 512" in reasons(found)[0][1]
    assert any(r.remedy.startswith("inferometer run --resume ") for r in found.reasons)
    (verdict,) = verdicts(results, *results.sections[0])
    assert verdict.fastest.why == "No lead is claimed while planned measurements are missing."
    assert not re.search("faster|%", wording.runner_up(found))


def test_cells_that_a_run_has_yet_to_begin_are_counted():
    """A live page said "8 of 8 cells measured" of 24."""
    cells = [cell("a", size) for size in (8, 16, 32)]
    whole = run([record(one) for one in cells])
    begun = msgspec.structs.replace(whole.info)
    part = type(whole)(whole.path, begun, whole.records[:1])
    assert "1 of 3 cells measured" in extent(summarise([part]))
    assert "3 of 3 cells measured" in extent(summarise([whole]))


def test_a_firm_verdict_says_what_it_rests_on():
    found = decide([*rounds_of(cell("a"), QUIET), *rounds_of(cell("b"), SLOWER)])
    assert (found.grade, reasons(found), found.tie) == ("firm", [], False)
    assert wording.why(found) == "It has the highest throughput, and the data tell all others apart from it."
    assert wording.runner_up(found).startswith("b at batch size 8 (900.0 images/s): -10.0 % throughput")


VALUES = {
    "share": 0.3, "processors": 8, "device": "cuda:1", "framework": "b", "seconds": 1.0, "loops_share": 0.5, "count": 2, "pid": 7,
    "held_bytes": 1 << 30, "used_bytes": 1 << 30, "before_bytes": 1 << 30, "after_bytes": 1 << 31, "competitors": 2, "threads": 2,
    "held": 1, "loops": 9, "lost_s": 20.0, "slow": 1, "rounds": 9, "slower": 0.1, "wanted": 20, "error": "ValueError: x",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(DISTURBED))
def test_a_disturbed_cell_makes_it_weak(kind):
    told = flag(kind, **VALUES)
    found = decide([*rounds_of(cell("a"), QUIET, flags=(told,)), *rounds_of(cell("b"), SLOWER)])
    assert found.grade == "weak" and reasons(found)[0][1].startswith("not measured in quiet: ")


@pytest.mark.parametrize("kind", ["loops-held-up", "two-kinds-of-rounds", "not-checked-after"])
def test_a_cell_whose_own_loops_are_doubtful_makes_it_weak(kind):
    told = flag(kind, **VALUES)
    found = decide([*rounds_of(cell("a"), QUIET, flags=(told,)), *rounds_of(cell("b"), SLOWER)])
    assert found.grade == "weak"


def test_under_a_limit_nothing_is_said_of_the_cells_that_break_it():
    """It said "the highest throughput of what was measured" of a cell that one beyond the limit beat five times over."""
    slow, fast = [100.0, 100.4, 100.2], [90.0, 90.4, 90.2]
    records = [
        *rounds_of(cell("a"), slow), *rounds_of(cell("b"), fast), *rounds_of(cell("a", 64), [500.0, 501.0, 502.0]),
    ]  # fmt: skip
    found = decide(records, constraints=Constraints(batch_sizes=(8,)))
    assert found.limited and found.grade == "firm"
    assert wording.why(found).endswith("and the data tell all others within the limits apart from it.")
    assert "all others within the limits" in wording.grade_sentence(found)
    alone = decide(records, constraints=Constraints(batch_sizes=(64,)))
    assert wording.why(alone) == "It has the highest throughput of those within the limits."
    assert "it alone is within the limits" in wording.grade_sentence(alone)
    assert "told from" not in wording.grade_sentence(alone)


def test_batches_that_are_alike_in_a_row_count_as_fewer():
    """Twelve batches whose latencies drift tell as much as two."""
    drift = tuple(0.010 + 0.001 * step for step in range(12))
    records = [
        Record(
            cell(name),
            n,
            "ok",
            images=96,
            loops=(Loop(slower * sum(drift), tuple(slower * s for s in drift), 96),),
        )
        for name, slower in (("a", 1.0), ("b", 1.5))
        for n in range(2)
    ]
    assert any(
        "so alike in a row that they tell as much as" in words for _, words in reasons(decide(records))
    )


def test_one_process_is_weak_and_its_distance_is_not_judged():
    results = summarise(
        [run([record(cell("a"), rate=1000.0, noise=0.001), record(cell("b"), rate=500.0, noise=0.001)])]
    )
    (found,) = recommend(results)
    assert found.grade == "weak" and reasons(found)[0][1].startswith("one process only")
    assert found.reasons[0].remedy == "run it again with --rounds 5, each a fresh process"
    (verdict,) = verdicts(results, *results.sections[0])
    assert verdict.fastest.why.startswith(
        "Not judged against the next, b at batch size 8, 499.9 images/s: neither"
    )


def test_few_batches_are_weak():
    records = [
        Record(one, n, "ok", images=8, loops=(Loop(8 / rate * (1 + n / 1000), (), images=8),))
        for one, rate in ((cell("a"), 1000.0), (cell("b"), 500.0))
        for n in range(3)
    ]
    found = decide(records)
    assert ("weak", "few batches: 3 batches timed in all") in reasons(found)


def test_most_frameworks_failed():
    crashed = [
        Record(cell(name), n, "crashed", cause="SIGSEGV") for name in ("c", "d", "e") for n in range(3)
    ]
    found = decide([*rounds_of(cell("a"), QUIET), *rounds_of(cell("b"), SLOWER), *crashed])
    assert reasons(found)[0] == ("none", "3 of 5 frameworks gave no result")
    assert found.reasons[0].remedy == "mend what failed: inferometer show run gives the causes"


def test_a_difference_not_worth_a_word_is_none():
    """It was "fastest, 0.0 % ahead"."""
    exact = [1000.0, 1000.001, 999.999]
    found = decide([*rounds_of(cell("a"), exact), *rounds_of(cell("b"), [0.9999 * rate for rate in exact])])
    assert found.grade == "tie" and wording.runner_up(found).count("%") == 0


def tied(first=None, second=None):
    return [
        *rounds_of(cell("a"), NOISY[0], **(first or {})),
        *rounds_of(cell("b"), NOISY[1], **(second or {})),
    ]


def test_among_equals_the_least_energy_is_chosen_if_the_data_tell():
    found = decide(tied({"power_w": 100.0}, {"power_w": 50.0}))
    assert found.choice.summary.row == "b" and [step.by for step in found.steps] == ["energy"]
    assert wording.why(found) == (
        "Of the 2 cells that cannot be told from the highest throughput: least energy an image."
    )
    assert decide(tied({"power_w": 100.0}, {"power_w": 100.0})).steps[-1].by == "name"
    assert decide(tied({"power_w": 100.0})).steps[-1].by == "name"  # one was not metered


def test_a_cell_that_is_hardly_known_is_not_chosen_for_what_else_it_has():
    """It cannot be told from the best, as from anything."""
    wild = rounds_of(cell("a"), [300.0, 900.0, 1700.0], power_w=10.0, memory=Memory(10**8, 10**8, None))
    known = [*rounds_of(cell("b"), QUIET, power_w=50.0), *rounds_of(cell("c"), SLOWER, power_w=50.0)]
    found = decide([*wild, *known])
    assert found.steps[0].by == "interval" and found.choice.summary.row == "b"
    assert "a" in {option.summary.row for option in found.ties}


def test_data_that_carry_no_choice_name_the_best_figure():
    records = [*rounds_of(cell("a"), [300.0, 900.0, 4000.0]), *rounds_of(cell("b"), [200.0, 900.0, 1500.0])]
    found = decide(records)
    assert (found.grade, found.choice, found.steps) == ("none", found.leader, ())
    assert wording.headline(found) == "no verdict; the best figure is of a at batch size 8"
    assert (
        wording.why(found)
        == "It has the highest throughput of what was measured; 2 cells in all cannot be told apart."
    )


def test_then_the_shortest_latency_then_the_least_memory_then_the_first_name():
    sizes = [*rounds_of(cell("a", 64), NOISY[0]), *rounds_of(cell("b", 8), NOISY[1])]
    found = decide(sizes)
    assert found.choice.summary.row == "b" and [step.by for step in found.steps] == ["latency"]
    little = {"memory": Memory(10**9, None, 10**9)}
    found = decide(tied(None, little))
    assert found.choice.summary.row == "b" and [step.by for step in found.steps] == ["memory"]
    as_the_framework_says = {"memory": Memory(10**9, 10**9, None)}
    found = decide(tied(None, as_the_framework_says))
    assert found.choice.summary.row == "a" and [step.by for step in found.steps] == ["name"]
    found = decide(tied())
    assert found.choice.summary.row == "a" and [step.by for step in found.steps] == ["name"]


def test_every_line_stands_in_the_json():
    import json

    found = decide(tied())
    (row,) = json.loads(render.to_json([found]))
    assert (row["grade"], row["why"]) == (found.grade, wording.why(found))
    assert (
        row["reasons"][0]["remedy"]
        == "more rounds (--rounds) may tell them apart; if not, any of them will do"
    )
