"""Peak memory of a GPU as the driver counts it, as the framework does, and of the host: three things, never ranked as one."""

import pytest

from inferometer.comparison.compare import compare
from inferometer.records import Memory
from inferometer.results.metrics import METRICS
from inferometer.results.ranking import rank_cells
from inferometer.results.summary import summarise
from inferometer.tables import build
from inferometer.tables.notes import notes
from inferometer.tables.text import footnotes
from simulated_runs import cell, rounds_of, run

MEMORY = METRICS["memory"]
TOLD = {
    "a": Memory(10**9, 3 * 10**9, 4 * 10**9),
    "b": Memory(10**9, 4 * 10**9, 5 * 10**9),
    "c": Memory(10**9, 2 * 10**9, None),
    "d": Memory(10**9, None, None),
}


def of(told, path="a", device="cuda:0"):
    records = [
        r
        for name, memory in told.items()
        for r in rounds_of(cell(name, device=device), [1e3] * 3, memory=memory)
    ]
    return summarise([run(records, path)])


def test_the_hosts_memory_is_no_gpus():
    *_, host = of(TOLD).summaries
    assert host.memory is None and MEMORY.why_none(host)[0] == "not told"
    (cpu,) = of({"d": TOLD["d"]}, device="cpu").summaries
    assert cpu.memory.value == pytest.approx(1e9) and cpu.memory.source == "process (RSS)"


def test_only_cells_of_one_source_compete():
    places = rank_cells(of(TOLD).summaries, MEMORY)
    assert {key.split("/")[2]: (at.place, at.ratio) for key, at in places.items()} == {
        "a": (1, 1.0),
        "b": (2, pytest.approx(1.25)),
        "c": (1, 1.0),
    }


def test_tables_name_the_sources_where_they_differ():
    driver, own = (
        f"peak memory of the device, by the {who}: compared with cells of the same source only"
        for who in ("driver", "framework")
    )
    mixed, alike = of(TOLD), of({name: TOLD[name] for name in "ab"})
    (table,) = build(mixed, MEMORY)
    assert {driver, own} <= {text.partition("] ")[2] for text in footnotes(table)}
    told = [note.words for note in notes(mixed)]
    assert f"{driver}: a at 8; b at 8" in told and f"{own}: c at 8" in told
    (table,) = build(alike, MEMORY)
    assert not [text for text in footnotes(table) if "source" in text]
    assert not [note for note in notes(alike) if "source" in note.words]


def test_two_sources_are_not_compared():
    change, *_ = compare(of({"a": TOLD["a"]}), of({"a": TOLD["c"]}, "b"), MEMORY).changes
    assert change.verdict == "not comparable"
    assert change.reason == "other source: device, by the driver / device, by the framework"
