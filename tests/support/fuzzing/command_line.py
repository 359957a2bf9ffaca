"""Words of the command line out of its own table of commands and options: a plan or a table, or one line; nothing is measured."""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
from pathlib import Path

import click

import nightly_runs
from fuzzing.outcome import Outcome, outcome_of, refused
from inferometer.cli import cli, invoke
from simulated_runs import BOARDS, write_run

# what would measure, serve, wait or fetch; `run` is always asked for its plan alone
_LEFT_OUT = {
    ("serve",),
    ("bundle",),
    ("measure",),
    ("meters", "publish"),
    ("meters", "serve"),
    ("meters", "characterize"),
    ("env", "build"),
    ("env", "lock"),
}
_SELDOM = {("report",), ("compare",), ("history",)}  # they take longest
_NUMBERS = (
    "0",
    "1",
    "8",
    "-1",
    "3.5",
    "1e3",
    "1e308",
    "-1e-9",
    "nan",
    "inf",
    "9" * 30,
    "0x8",
    "8,16",
    "8..64",
    "",
    " ",
    "eight",
    "٣",
    "1_000",
)
_WORDS = (
    "", " ", "onnxrt", "torch,onnxrt", "all", "fp32", "int8,fp16", "cpu", "cuda:0", "cuda:99", "host,device", "throughput", "energy", "p99",
    "top1", "x=1", "x=", "=1", "x.1=3", "x=0:1", "x=1:0", "x=none", "=", ",", ",,", "3%", "300 %", "30d", "-5w", "median", "a" * 3000, "é\u202e",
    "\x1b[2J", "../x", "nvml", "!rapl", "type=gpu", "mqtt://u:p@h:99999/x", "redfish://[", "name=*", "onnxrt=/missing/python", "{}", "[1, 2]",
    "{\"mean\": 0}", "mean=0,std=1", "onnxrt/fp32/8", "timm:x", "hf:/missing", "%s", "${HOME}", "--", "-",
)  # fmt: skip
_MODELS = (
    "mobilenet_v3_large",
    "mobilenet",
    "no_such_model",
    "missing.onnx",
    "bad.onnx",
    "bad.keras",
    "bad.pt2",
    "bad.h5",
    "folder",
    "",
    "hf:x",
    "timm:",
)


class CommandLine:
    name = "command line"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        few = {
            "frameworks": ("onnxrt", "torch"),
            "precisions": ("fp32",),
            "batch_sizes": (8, 16),
            "rounds": 3,
            "batches": 4,
        }
        runs = [
            write_run(folder / name, board, **few)
            for name, board in (("a", BOARDS[0]), ("b", BOARDS[0]), ("c", BOARDS[3]))
        ]
        for day in range(1, 5):
            nightly_runs.write(folder / "nightly", day)
        damaged = write_run(folder / "damaged", BOARDS[0], **few)
        (damaged / "run.json").write_bytes(b"\xff" + (damaged / "run.json").read_bytes())
        (folder / "folder").mkdir()
        (folder / "t.csv").write_text("framework,batch_size,gpu,throughput\ntf,8,A2,100\n")
        for name in _MODELS:
            if name.startswith("bad"):
                (folder / name).write_bytes(b"no model at all")
        self._paths = [str(path) for path in runs * 3] + [
            "nightly",
            "damaged",
            "folder",
            "t.csv",
            "missing",
            "",
            ".",
            "a/run.json",
            "bad.onnx",
        ]
        self._commands = [path for path in _commands(cli) if path not in _LEFT_OUT]
        self._made = 0

    def __call__(self, seed: int) -> Outcome:
        chance = random.Random(seed)
        words = self._words(chance)
        return outcome_of(lambda: self._called(words))

    def _words(self, chance: random.Random) -> list[str]:
        path = chance.choice([p for p in self._commands if p not in _SELDOM or chance.random() < 0.3])
        command = _command(path)
        words = []
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                words += self._arguments(chance, parameter)
            elif chance.random() < (0.9 if parameter.required else 2 / len(command.params)):
                words += self._option(chance, parameter)
        if chance.random() < 0.1:
            words.insert(
                chance.randrange(len(words) + 1),
                chance.choice(("--no-such", "-x", "--help", "--out", "--", "stray", "--=", "---")),
            )
        return [*path, *(["--dry-run"] if path == ("run",) else []), *words]

    def _arguments(self, chance: random.Random, parameter: click.Argument) -> list[str]:
        count = chance.choice((1, 1, 2, 3, 0)) if parameter.nargs < 0 else chance.choice((1, 1, 1, 1, 0, 2))
        return [self._value(chance, parameter) for _ in range(count)]

    def _option(self, chance: random.Random, parameter: click.Option) -> list[str]:
        name = chance.choice(parameter.opts)
        if parameter.is_flag:
            return [name]
        again = 2 if parameter.multiple and chance.random() < 0.5 else 1
        return [word for _ in range(again) for word in (name, self._value(chance, parameter))]

    def _value(self, chance: random.Random, parameter: click.Parameter) -> str:
        kind = parameter.type
        if chance.random() < 0.15:
            return chance.choice((*_WORDS, *_NUMBERS))
        if parameter.name == "model" and isinstance(parameter, click.Argument):
            return chance.choice(_MODELS)
        if isinstance(kind, click.Choice):
            return str(chance.choice(list(kind.choices)))
        if isinstance(kind, click.Path):
            return self._path(chance, parameter)
        if kind.name in ("integer", "float", "integer range", "float range"):
            return chance.choice(_NUMBERS)
        return chance.choice(_WORDS)

    def _path(self, chance: random.Random, parameter: click.Parameter) -> str:
        if isinstance(parameter, click.Argument) or chance.random() < 0.3:
            return chance.choice(self._paths)
        self._made += 1
        return (
            str(self._folder / f"made-{self._made}" / "x")
            if chance.random() < 0.1
            else str(self._folder / f"made-{self._made}")
        )

    def _called(self, words: list[str]) -> Outcome | None:
        with _placed(self._folder), _captured() as (out, err):
            status = invoke(words)
        told = f"{words} gives {status}: {err()}"
        if "Traceback" in out() + err():
            return Outcome("traceback", told)
        if not status:
            return None
        if "memory" in err() and "give less" in err():
            return Outcome("memory", told)
        lines = [line for line in err().splitlines() if line.startswith("inferometer: ")]
        if not lines and not out() and "Usage:" not in err():
            return Outcome("no line", told)
        return refused(lines[-1]) if lines else Outcome("refused", told)


def _commands(group: click.Group, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    with click.Context(group) as context:
        found = []
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            found += (
                _commands(command, (*above, name)) if isinstance(command, click.Group) else [(*above, name)]
            )
        return found


def _command(path: tuple[str, ...]) -> click.Command:
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        with click.Context(command) as context:
            command = command.get_command(context, name)
    return command


@contextlib.contextmanager
def _placed(folder: Path):
    """Work in a folder of our own, with an empty cache: no environment is there to open a model in."""
    before, cache = Path.cwd(), os.environ.get("INFEROMETER_CACHE")
    os.environ["INFEROMETER_CACHE"] = str(folder / "cache")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        if cache is None:
            del os.environ["INFEROMETER_CACHE"]
        else:
            os.environ["INFEROMETER_CACHE"] = cache


@contextlib.contextmanager
def _captured():
    """Catch what is printed; yields two functions that tell it."""
    kept = sys.stdout, sys.stderr
    streams = [
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
        for _ in kept
    ]
    sys.stdout, sys.stderr = streams
    try:
        yield [lambda stream=stream: stream.buffer.getvalue().decode(errors="replace") for stream in streams]
    finally:
        sys.stdout, sys.stderr = kept
