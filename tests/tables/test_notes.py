"""Footnotes of the overview, and what is behind them."""

import msgspec
import pytest

from inferometer.cli import invoke
from inferometer.flags import flag
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter
from inferometer.tables.notes import notes
from simulated_runs import cell, record, rounds_of, run

IN_STEP = "energy may be off: the loops keep time"


def flagged(size, *flags):
    return msgspec.structs.replace(record(cell("tf", size), noise=0.01), flags=flags)


def in_step(piece_s, device="GPU-1"):
    return flag("aliasing", device=device, pieces="loops", piece_s=piece_s, period_s=0.1)


RECORDS = [flagged(8, in_step(0.05)), flagged(16, in_step(0.2, "GPU-2")), flagged(32)]


def test_a_flag_is_told_once_with_the_cells_that_it_concerns_and_its_figures_behind_it():
    (found,) = [note for note in notes(summarise([run(RECORDS)])) if note.words.startswith(IN_STEP)]
    assert found.words.endswith(": tf at 8, 16") and "GPU" not in found.words and " ms" not in found.words
    assert found.details == ("loops of 50 to 200 ms; updates every 100 ms of the meter of GPU-1, GPU-2",)


def test_what_rounds_can_tell_has_its_noise_behind_it():
    records = [
        r for name in ("tf", "onnxrt", "jax") for r in rounds_of(cell(name), [1000.0, 1100.0, 950.0, 1020.0])
    ]
    (found,) = [note for note in notes(summarise([run(records)])) if "told apart" in note.words]
    assert "scatters by" in found.details[0] and "4 rounds" in found.words


@pytest.fixture
def stored(tmp_path):
    made = run(RECORDS)
    writer = RunWriter.create(tmp_path / "run", made.info)
    for ended in made.records:
        writer.append(ended)
    return str(writer.path)


def test_show_why_prints_what_is_behind_each_footnote(stored, capsys):
    assert invoke(["show", stored]) == 0
    plain = capsys.readouterr().out
    assert invoke(["show", stored, "--why"]) == 0
    why = capsys.readouterr().out
    behind = "    loops of 50 to 200 ms; updates every 100 ms of the meter of GPU-1, GPU-2"
    lines = why.splitlines()
    assert behind not in plain and lines[lines.index(behind) - 1].startswith(IN_STEP)
    assert [line for line in lines if not line.startswith("    ")] == [
        line for line in plain.splitlines() if not line.startswith("    ")
    ]


def test_why_is_of_the_table_alone(stored, capsys):
    assert invoke(["show", stored, "--why", "--format", "csv"]) == 2
    assert "--why explains the footnotes of the table" in capsys.readouterr().err


def test_a_cells_kinds_of_flags_are_in_csv_and_json(stored, capsys):
    assert invoke(["show", stored, "--format", "json"]) == 0
    rows = msgspec.json.decode(capsys.readouterr().out)
    assert [row["flags"] for row in rows] == ["aliasing", "aliasing", ""]
