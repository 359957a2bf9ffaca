"""A big run is summarised by several processes as by one, whatever becomes of them, and its records are read no more often than needed."""

import sys

import pytest
from msgspec.structs import fields

import simulated_runs as simulated
from inferometer.errors import StoreError
from inferometer.results import children, parts
from inferometer.results.cells import CellSummary
from inferometer.results.summary import summarise
from inferometer.storage import stored_records
from inferometer.storage.lines import shown
from inferometer.storage.run_directory import CELLS_FILE, read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("parts") / "run"
    frameworks = ("onnxrt", "openvino", "torch", "mnn")
    return simulated.write_run(path, simulated.BOARDS[0], frameworks=frameworks, batch_sizes=(8, 512))


@pytest.fixture
def two_parts(monkeypatch):
    monkeypatch.setattr(parts, "WORTH_BYTES", 0)
    monkeypatch.setattr(parts, "usable_cores", lambda: 2)


def assert_same(found, expected):
    assert found.machines == expected.machines
    for ours, theirs in zip(found.summaries, expected.summaries, strict=True):
        for field in fields(CellSummary):
            mine, other = getattr(ours, field.name), getattr(theirs, field.name)
            assert (tuple(mine) == tuple(other)) if field.name == "records" else (mine == other), field.name


def read(path):
    found, _ = parts.read_and_summarise(path)
    return found


def test_two_processes_say_what_one_says(run, two_parts, monkeypatch):
    answers = []
    whole = parts._answer_of
    monkeypatch.setattr(parts, "_answer_of", lambda *asked: answers.append(whole(*asked)) or answers[-1])
    monkeypatch.setattr(parts, "_AT_ONCE", 1)
    monkeypatch.setattr(parts._Deal, "here", lambda deal: None)  # so that the child has all to do
    assert_same(read(run), summarise([read_run(run)]))
    assert all(answers)


@pytest.mark.parametrize("program", ["/bin/false", "/bin/echo", "/no/such/program"])
def test_what_a_child_does_not_hand_over_is_computed_here(run, two_parts, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    assert_same(read(run), summarise([read_run(run)]))


def test_a_pipe_that_may_not_be_widened_is_used_as_it_is(run, two_parts, monkeypatch):
    monkeypatch.setattr(children, "_PIPE_BYTES", 1 << 40)  # more than any system gives
    answers = []
    whole = parts._answer_of
    monkeypatch.setattr(parts, "_answer_of", lambda *asked: answers.append(whole(*asked)) or answers[-1])
    monkeypatch.setattr(parts._Deal, "here", lambda deal: None)
    assert_same(read(run), summarise([read_run(run)]))
    assert all(answers)


@pytest.mark.parametrize("place", [2, 3, -2])
@pytest.mark.parametrize(
    "damage", [(b'"round":', b'"round":-1'), (b'"elapsed_s":', b'"elapsed_s":-1'), (b"}}", b"}")]
)
@pytest.mark.parametrize("repeated", [False, True])
def test_a_damaged_record_is_named_as_when_all_is_read(run, two_parts, tmp_path, place, damage, repeated):
    copy = tmp_path / "damaged"
    copy.mkdir()
    (copy / "run.json").write_bytes((run / "run.json").read_bytes())
    lines = (run / CELLS_FILE).read_bytes().split(b"\n")
    if repeated:
        lines.insert(-1, lines[place])
    lines[place] = lines[place].replace(*damage, 1)
    (copy / CELLS_FILE).write_bytes(b"\n".join(lines))
    with pytest.raises(StoreError) as whole:
        read_run(copy)
    with pytest.raises(StoreError) as apart:
        read(copy)
    assert str(apart.value) == str(whole.value)


def test_a_record_is_decoded_once(run, monkeypatch):
    decoded = []
    real = stored_records.decode_record
    monkeypatch.setattr(stored_records, "decode_record", lambda line: decoded.append(line) or real(line))
    results = read(run)
    assert results.runs[0].missing == read_run(run).missing
    assert len(decoded) == len(results.runs[0].records)


def test_a_torn_last_line_is_left_out(run, tmp_path):
    copy = tmp_path / "torn"
    copy.mkdir()
    (copy / "run.json").write_bytes((run / "run.json").read_bytes())
    (copy / CELLS_FILE).write_bytes((run / CELLS_FILE).read_bytes()[:-10])
    indexed, whole = stored_records.read_indexed(copy), read_run(copy)
    assert tuple(indexed.records) == whole.records
    assert indexed.missing == whole.missing != ()


@pytest.mark.parametrize("text", ["mqtt://u:p@lab", "a\\u0007", "a\x7f", "\u202e", "h\u00f6he", "//", " //"])
def test_what_is_taken_as_it_is_needs_nothing(text):
    for data in (text.encode(), f"x{text}".encode(), f"{text}x".encode()):
        assert not stored_records.needs_nothing_shown(data)
    plain = b'{"log":"logs/worker.log","a":"/"}'
    assert stored_records.needs_nothing_shown(plain) and shown(plain) == plain


def test_passwords_of_a_big_run_are_not_read(run, tmp_path, two_parts):
    copy = tmp_path / "secret"
    copy.mkdir()
    (copy / "run.json").write_bytes((run / "run.json").read_bytes())
    lines = (
        (run / CELLS_FILE).read_bytes().replace(b'"log":"logs/worker.log"', b'"log":"mqtt://u:pass@lab"', 1)
    )
    (copy / CELLS_FILE).write_bytes(lines)
    assert read(copy).summaries[0].log == "mqtt://***@lab"
    assert_same(read(copy), summarise([read_run(copy)]))


def test_a_record_longer_than_what_is_read_at_once(run, tmp_path):
    copy = tmp_path / "long"
    copy.mkdir()
    (copy / "run.json").write_bytes((run / "run.json").read_bytes())
    lines = (run / CELLS_FILE).read_bytes().replace(b'"cause":""', b'"cause":"' + 40_000 * b"x" + b'"', 1)
    (copy / CELLS_FILE).write_bytes(lines)
    assert tuple(stored_records.read_indexed(copy).records) == read_run(copy).records


def outcome(read_all, path):
    try:
        found = read_all(path)
        return tuple(found.records), found.missing
    except StoreError as error:
        return str(error)


MANGLED = {
    "an empty line": lambda line: line + b"\n",
    "blanks": lambda line: line + b"\n \t",
    "a record of two lines": lambda line: line.replace(b',"round"', b',\n"round"', 1),
    "two records in a line": lambda line: line + b" " + line,
    "a record of two lines, and an empty one": lambda line: (
        line.replace(b',"round"', b',\n"round"', 1) + b"\n"
    ),
    "two records in a line, and an empty one": lambda line: line + b" " + line + b"\n",
    "two records in a line after one of two": lambda line: (
        line.replace(b',"round"', b',\n"round"', 1) + b"\n" + line + b" " + line
    ),
    "nothing but a line's end": lambda line: b"",
    "a flag as a sentence": lambda line: line.replace(b'"flags":[]', b'"flags":["pipelined"]', 1),
    "a carriage return": lambda line: line + b"\r",
}


@pytest.mark.parametrize("block", [1, 1 << 18])
@pytest.mark.parametrize("place", [0, 5, -2])
@pytest.mark.parametrize("mangle", MANGLED.values(), ids=MANGLED.keys())
def test_mangled_lines_are_found_to_be_what_they_are_when_all_is_read(
    run, tmp_path, monkeypatch, mangle, place, block
):
    monkeypatch.setattr(stored_records, "_BLOCK_BYTES", block)
    copy = tmp_path / "mangled"
    copy.mkdir()
    (copy / "run.json").write_bytes((run / "run.json").read_bytes())
    lines = (run / CELLS_FILE).read_bytes().split(b"\n")
    lines[place] = mangle(lines[place])
    (copy / CELLS_FILE).write_bytes(b"\n".join(lines))
    assert outcome(stored_records.read_indexed, copy) == outcome(read_run, copy)
