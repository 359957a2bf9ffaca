"""Flags: data that is told in one place, alone or several as one."""

import re
from pathlib import Path

import msgspec
import pytest

import inferometer
from inferometer.flags import CELL, ENERGY, INTERVAL, KINDS, Flag, details, flag, group, group_key, words
from inferometer.worker.flags import flag as workers_flag

SOURCE = Path(inferometer.__file__).parent


def cut(done, budget_s=6.0):
    return flag("warmup-cut", done=done, asked=50, budget_s=budget_s)


def test_flags_of_one_kind_are_told_as_one_with_the_span_of_each_number():
    pairs = [(cut(40), "keras"), (cut(8), "torch"), (cut(9), "torch")]
    (told,) = group(pairs)
    assert "after 8 to 40 of 50 batches" in told.words and "budget of 6 s" in told.words
    assert told.whom == ("keras", "torch")


def test_a_number_is_spanned_as_it_is_shown():
    def aliasing(piece_s, period_s):
        return flag("aliasing", device="GPU-1", pieces="loops", piece_s=piece_s, period_s=period_s)

    behind = " ".join((words(aliasing(1.201, 0.09848)), *details(aliasing(1.201, 0.09848))))
    assert "1201 ms" in behind and "98.48 ms" in behind
    alike = aliasing(0.055, 0.1), aliasing(1.201, 0.100004)
    behind = " ".join((words(*alike), *details(*alike)))
    assert "55 to 1201 ms" in behind and "100 ms" in behind and "100 to" not in behind


def test_another_text_that_is_shown_makes_another_flag():
    flags = [
        flag("placement-not-checked", error=error) for error in ("GPU is lost", "no answer", "GPU is lost")
    ]
    assert [told.whom for told in group(zip(flags, "abc", strict=True))] == [("a", "c"), ("b",)]


def test_what_only_details_name_makes_no_other_flag():
    flags = [
        flag("beside", device="cuda:1", framework=name, seconds=s, loops_share=1.0)
        for name, s in (("tf", 1.0), ("jax", 3.0), ("tf", 2.0))
    ]
    (told,) = group((found, 0) for found in flags)
    assert "tf" not in told.words and "1.00" not in told.words
    assert told.details[:2] == ("tf, jax ran there for 1.00 s to 3.00 s", "during 100 % of the loops")


def test_parts_whose_values_are_not_known_are_left_out():
    known, unknown = flag("throttled", reason="power cap", seconds=1.5), flag("throttled", reason="power cap")
    assert words(unknown) in words(known) and "1.5 s" in words(known)
    assert group_key(known) != group_key(unknown)


def test_a_kind_that_this_version_does_not_know_is_told_by_its_values():
    newer = Flag("fan-stopped", "cell", {"fan": "rear", "rpm": 12})
    assert words(newer) == "fan stopped: fan rear, rpm 12" and details(newer) == ()
    assert words(Flag("fan-stopped")) == "fan stopped"
    assert words(Flag("warmup-cut", values={"done": 3})) == "warmup cut: done 3"


def test_equal_flags_are_one_wherever_flags_are_counted():
    assert cut(7) == cut(7) and len({cut(7), cut(7), cut(8)}) == 2


def test_flags_survive_being_written_and_read():
    flags = [
        cut(7),
        flag("few-loops", done=3, asked=10, limit="budget", limit_s=6.5),
        flag("pipelined-input"),
    ]
    assert msgspec.json.decode(msgspec.json.encode(flags), type=list[Flag]) == flags


def test_what_a_worker_sends_is_a_flag():
    sent = workers_flag("phase-shifted", scope="energy", trials=6, period_s=0.1)
    assert msgspec.convert(sent, Flag) == flag("phase-shifted", trials=6, period_s=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_told_and_concerns_something_known(kind):
    known = KINDS[kind]
    assert known.words and known.scope in (CELL, ENERGY, INTERVAL)
    if not re.search(r"\{", "".join(known.words)):
        assert words(flag(kind)) == "".join(known.words)


def test_kinds_that_are_written_are_kinds_that_are_known():
    written = {
        kind
        for path in SOURCE.rglob("*.py")
        for kind in re.findall(r"""\bflag\(\s*"([\w-]+)\"""", path.read_text(encoding="utf-8"))
    }
    assert written and written <= KINDS.keys()
    told_otherwise = {
        "crowded",
        "others-computed",
        "hypervisor",
        "quota",
        "text",
        "stored-precision",
    }  # by a variable; by `legacy`; by versions before labels such as stored-int8
    assert written | told_otherwise == KINDS.keys()
