"""What README.md and docs/ tell people to type: commands parse, those that measure nothing run, Python examples run."""

import inspect
import re
import shlex
from pathlib import Path

import click
import pytest

import inferometer
from inferometer.cli import cli, invoke

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "examples/README.md", *(ROOT / "docs").glob("*.md")])
EXAMPLE, OTHER = "examples/quick-2-cores", "examples/h100/report"
GIVEN = {
    "DIR...": [EXAMPLE, OTHER],
    "DIR": [EXAMPLE],
    "OLD": [EXAMPLE],
    "NEW": [EXAMPLE],
    "FOLDER": [OTHER],
    "HISTORY": [OTHER],
}
SLOW = {
    "run",
    "bundle",
    "unbundle",
    "export",
    "measure",
    "meters characterize",
    "meters publish",
    "meters serve",
}


def found(pattern):
    """Return the words after `inferometer` of everything that matches, each once."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    matches = re.findall(pattern, text, re.MULTILINE)
    return [*dict.fromkeys(tuple(shlex.split(words.replace("\n", " "), comments=True)) for words in matches)]


COMMANDS = found(r"^(?: {4})?inferometer ([a-z][^\n`]*)$")  # a line of its own in a block of code
MENTIONS = found(r"`inferometer ([a-z][^`]*)`")  # in a sentence, arguments left out


def filled(words):
    return [word for given in words for word in GIVEN.get(given, [given])]


def command_of(words):
    """Return the click command that ``words`` begin with, and the words after its name."""
    node = cli
    while isinstance(node, click.Group) and words:
        name, *words = words
        node = node.get_command(None, name)
        assert node, f"no command {name}"
    return node, list(words)


def is_slow(words):
    return " ".join(words).startswith(tuple(SLOW))


def ids(words):
    return " ".join(words)


def test_there_are_commands():
    assert {words[0] for words in COMMANDS} >= {
        "run",
        "show",
        "report",
        "table",
        "recommend",
        "compare",
        "measure",
    }


@pytest.mark.parametrize("words", COMMANDS, ids=ids)
def test_it_parses(words):
    command, rest = command_of(filled(words))
    alone = isinstance(
        command, click.Group
    )  # `inferometer meters`; an option or a value it does not know raises
    assert alone or command.make_context(words[0], rest).params is not None


@pytest.mark.parametrize("words", MENTIONS, ids=ids)
def test_its_options_exist(words):
    command, rest = command_of(words)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word.strip("[]") for word in rest if word.lstrip("[").startswith("--")} <= known


@pytest.mark.parametrize("words", [words for words in COMMANDS if not is_slow(words)], ids=ids)
def test_it_runs(words, tmp_path, monkeypatch, capsys):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    status = invoke(filled(words))
    said = capsys.readouterr()
    if "--against" in words:  # the examples are no history of each other
        assert (status, "inconclusive: " in said.err) == (4, True)
        return
    assert status == 0, said.err
    assert said.out.strip()


PLANNABLE = [
    w
    for w in COMMANDS
    if w[0] == "run" and not {"--resume", "--device", "--image", "--shape", "--dataset", "--cluster"} & set(w)
]


@pytest.mark.parametrize("words", PLANNABLE, ids=ids)
def test_a_run_can_be_planned(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "INFEROMETER_CACHE", str(tmp_path / "cache")
    )  # no environment that could open the files
    (tmp_path / "rows").mkdir()
    for name in ("weights.pth", "program.pt2", "model.onnx", "rows/x.npy"):
        (tmp_path / name).write_bytes(b"never opened")
    assert invoke([*words, "--dry-run"]) == 0, capsys.readouterr().err


PYTHON = [
    (page.name, code)
    for page in PAGES
    if page.name in ("README.md", "report.md")
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize("code", [code for _, code in PYTHON], ids=[name for name, _ in PYTHON])
def test_python_examples(code, monkeypatch):
    """With a stored run in place of the measurement, whose arguments are checked; test_notebook.py measures."""
    signature = inspect.signature(inferometer.run)

    def stored(*arguments, **options):
        signature.bind(*arguments, **options)
        return inferometer.load(ROOT / EXAMPLE)

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(inferometer, "run", stored, raising=False)
    names = {}
    exec(compile(code, "example", "exec"), names)
    assert "result" in names or "results" in names
