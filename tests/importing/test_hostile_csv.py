"""Files that other programs, or nobody, would write: one line each, never a traceback, and what is read is harmless."""

import random

import pytest

from inferometer import importing
from inferometer.cli import invoke
from inferometer.errors import InferometerError
from inferometer.importing import Request
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run
from inferometer.tables.overview import flat_rows

HEADER = "framework,batch_size,gpu,throughput\n"
EMA = "region_idf,thread,device_name,energy,time\ntf_8_0,0,Tesla V100,5000000,100000\ntf_8_1,0,Tesla V100,5100000,100000\n"
LOOPS = "Batch_Size,Elapsed_Times,Throughput,GPU_Memory_Usage\n8,0.5,1024,1000000\n8,0.51,1003.9,1000000\n"


def imported(tmp_path, text, name="table.csv", **request):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = importing.read(Request((path,), **request))
    runs = [read_run(run) for run in importing.write(found, tmp_path / "out")]
    return found, summarise(runs)


def throughputs(results):
    return [summary.throughput.value for summary in results.summaries]


def test_lines_that_end_in_bare_carriage_returns_are_lines(tmp_path):
    found, results = imported(tmp_path, HEADER.replace("\n", "\r") + "tf,8,A2,100\rtorch,8,A2,200\r")
    assert throughputs(results) == [100, 200] and found.problems == ()


def test_other_separators_of_lines_are_none(tmp_path):
    found, results = imported(tmp_path, HEADER + "tf\x0b\u2028x,8,A2,100\n")
    assert len(results.summaries) == 1 and found.problems == ()


@pytest.mark.parametrize("number", ["1e308", "1e300", "-1e308", "1e-308", "1e16"])
@pytest.mark.parametrize("unit", ["throughput", "energy_wh", "latency", "elapsed", "memory_gib"])
def test_a_number_beyond_any_measurement_is_one_line(tmp_path, number, unit):
    text = f"framework,batch_size,gpu,{unit}\ntf,8,A2,{number}\ntorch,8,A2,5\n"
    found, results = imported(tmp_path, text)
    (problem,) = found.problems
    assert ":2: " in problem and number in problem and [s.row for s in results.summaries] == ["torch"]
    assert flat_rows(results)


def test_loops_of_no_images_are_lines(tmp_path):
    rows = "".join(
        f"8,{seconds},{rate}\n" for seconds, rate in (("1e-9", "1e-9"), ("1e10", "1e10"), ("0.5", "1024"))
    )
    found, results = imported(
        tmp_path, "Batch_Size,Elapsed_Times,Throughput\n" + rows, "tf_3_it_x_py.csv", gpu="A2"
    )
    assert len(found.problems) == 2 and throughputs(results) == [1024]


@pytest.mark.parametrize("region", ["tf_0_0", f"tf_{'9' * 40}_0", f"tf_8_{'9' * 5000}"])
def test_a_region_of_no_batch_is_a_line(tmp_path, region):
    (tmp_path / "tf_3_it_x_py.csv").write_text(LOOPS)
    (tmp_path / "power.csv").write_text(EMA + f"{region},0,Tesla V100,5000000,100000\n")
    found = importing.read(Request((tmp_path,)))
    assert len(found.problems) == 1 and ":4: " in found.problems[0]


def test_a_file_without_a_usable_row_is_named_and_the_others_are_read(tmp_path):
    (tmp_path / "empty.csv").write_text(HEADER)
    (tmp_path / "bad.csv").write_text(HEADER + "tf,8,B2,x\n")
    (tmp_path / "good.csv").write_text(HEADER + "tf,8,A2,100\n")
    found = importing.read(Request((tmp_path,)))
    assert [info.machine.name for info, _ in found.runs] == ["A2"]
    assert any("empty.csv: no row that can be used" in line for line in found.skipped)
    assert any("bad.csv:2: " in line for line in found.problems)
    assert invoke(["import", str(tmp_path / "empty.csv"), "--out", str(tmp_path / "out")]) == 2


def test_decimal_commas_beside_semicolons_are_read_and_doubtful_points_refused(tmp_path):
    text = "framework;batch_size;gpu;throughput\ntf;8;A2;1234,5\ntorch;8;A2;1.234\njax;8;A2;99,25\nonnxrt;8;A2;1.234,5\n"
    found, results = imported(tmp_path, text)
    assert sorted(throughputs(results)) == [99.25, 1234.5]
    assert [line.partition(": ")[2][:5] for line in found.problems] == ["1.234", "1.234"]
    (tmp_path / "plain").mkdir()
    _, plain = imported(tmp_path / "plain", "framework;batch_size;gpu;throughput\ntf;8;A2;1.234\n")
    assert 1.234 in throughputs(plain)


@pytest.mark.parametrize(
    ("columns", "values", "kept"),
    [
        ("latency,throughput", "80,100", None),  # ms, of a batch of 8
        ("latency,throughput", "10,100", None),  # ms
        ("latency,throughput", "0.01,100", 0.01),
        ("latency,throughput", "0.04,100", 0.04),  # several batches in flight
        ("latency_s,throughput", "10,100", 10.0),  # it says so itself
    ],
)
def test_a_latency_without_a_unit_must_fit_the_throughput(tmp_path, columns, values, kept):
    found, results = imported(tmp_path, f"framework,batch_size,gpu,{columns}\ntf,8,A2,{values}\n")
    (summary,) = results.summaries
    assert summary.throughput.value == 100
    assert summary.latency_image.value == pytest.approx(kept or 0.01)
    assert bool(found.problems) == (kept is None)
    assert all("latency_ms" in line for line in found.problems)


def test_escapes_in_names_are_shown_not_sent(tmp_path, capfd):
    text = "framework,batch_size,gpu,throughput\nt\x1b[31mf,8,A\x9b2\x1b]0;owned\x07,100\n"
    (tmp_path / "t.csv").write_text(text + "tf,8,A2,\x1b[2J\n")
    assert invoke(["import", str(tmp_path / "t.csv"), "--out", str(tmp_path / "run")]) == 0
    assert invoke(["show", str(tmp_path / "run")]) == 0
    shown = capfd.readouterr()
    assert not set("\x1b\x9b\x07") & set(shown.out + shown.err)
    assert r"A\x9b2" in shown.out and r"\x1b[31mf" in shown.out and r"\x1b[2J" in shown.err


def test_escapes_in_a_run_from_elsewhere_are_shown_not_sent(tmp_path, capfd):
    imported(tmp_path, HEADER + "plain,8,A2,100\n")
    for name in ("run.json", "cells.jsonl"):
        file = tmp_path / "out" / name
        file.write_bytes(file.read_bytes().replace(b"plain", rb"p\u001b[31m\u009b" + "\x9b\u202e".encode()))
    assert invoke(["show", str(tmp_path / "out")]) == 0
    assert invoke(["table", "throughput", str(tmp_path / "out"), "--format", "csv"]) == 0
    shown = capfd.readouterr().out
    assert not set("\x1b\x9b\u202e") & set(shown) and r"p\x1b[31m\x9b\x9b\u202e" in shown


@pytest.mark.parametrize("name", ["=1+1", "+1+1", "-cmd", "@SUM(A1)"])
def test_cells_of_csv_that_begin_a_formula_are_quoted(tmp_path, name, capfd):
    imported(tmp_path, HEADER + f"{name},8,A2,100\n")
    for command in (["table", "throughput"], ["show"], ["history"]):
        assert invoke([*command, str(tmp_path / "out"), "--format", "csv"]) == 0
        out = capfd.readouterr().out
        assert f"'{name.lower()}" in out and f",{name.lower()}," not in out


SEEDS = (
    HEADER + "tf,8,A2,100\ntorch,16,A2,200.5\n",
    "Framework;Batch;GPU;value;unit;metric\ntf;8;A2;1,5;ms;p99\n",
    EMA,
    LOOPS,
)
PIECES = (
    "\r",
    "\n",
    '"',
    ",",
    ";",
    "\t",
    "1e308",
    "-1",
    "nan",
    "inf",
    "0",
    "\x1b",
    "9" * 400,
    "\0",
    "\u2028",
    "é",
    "=",
    " ",
)


@pytest.mark.parametrize("seed", range(60))
def test_any_change_is_read_or_refused_in_lines(tmp_path, seed):
    chance = random.Random(seed)
    for number, text in enumerate(SEEDS):
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(PIECES) + text[at + chance.randrange(3) :]
        names = ("t.csv", "tf_3_it_x_py.csv")
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            _, results = imported(folder, text.encode(), chance.choice(names), gpu=chance.choice(("", "A2")))
            flat_rows(results)
        except InferometerError as error:
            assert str(error) and all(line.strip() for line in str(error).splitlines())
