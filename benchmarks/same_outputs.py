"""Whether a change of the code leaves every output of the commands that read runs as it was, byte for byte.

    python benchmarks/same_outputs.py REVISION [--big FOLDER,FOLDER] [--only COMMAND] [--keep FOLDER]

Runs show, table, recommend, compare and report on the examples, on simulated runs with failures, hostile names and several machines, and on
two big ones (from records first, then from the kept summaries), with the code of REVISION and with that of the working tree, each in a process of
its own. Prints where each output that is not the same differs first; exit status 1 if there is one. ``--keep``: the outputs of REVISION, for the
next time.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
METRICS = ("throughput", "p99", "energy", "memory", "prepare_time", "images_per_watt")
KEPT = ".summaries.parquet"
_DATE = re.compile(rb"20\d\d-\d\d-\d\d \d\d:\d\d UTC")


def commands(
    whole: Sequence[Sequence[Path]], brief: Sequence[Path], pairs: Sequence[tuple[Path, Path]]
) -> Iterator[list[str]]:
    """Return the words after `inferometer` of all that is compared, fewer of ``brief``; files go to the working folder."""
    for runs in whole:
        words = [str(run) for run in runs]
        yield ["show", *words]
        yield ["table", "throughput", *words]
        for metric, form in itertools.product(METRICS, ("csv", "json")):
            yield ["table", metric, *words, "--format", form]
        for form in ("text", "md"):
            yield ["recommend", *words, "--format", form]
        yield ["recommend", *words, "--format", "json", "--max-latency-ms", "20", "--objective", "energy"]
        yield ["report", *words, "--out", "report.html", "--md", "report.md", "--title", "same"]
    for run in brief:
        yield ["show", str(run)]
        yield ["table", "energy", str(run), "--format", "csv"]
        yield ["table", "throughput", str(run), "--format", "json"]
        yield ["recommend", str(run), "--format", "json"]
    for first, second in pairs:
        for metric, form in (("throughput", "json"), ("energy", "json"), ("p99", "text")):
            yield ["compare", str(first), str(second), "--metric", metric, "--format", form]


def simulated(folder: Path) -> list[Path]:
    """Write small simulated runs: two of one machine, one of another without a meter, one with hostile names."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    import simulated_runs as s

    names = [folder / name for name in "abcd"]
    if not folder.exists():
        s.write_run(names[0], s.BOARDS[0], rounds=4, modes=("host", "device"), seed=1)
        s.write_run(names[1], s.BOARDS[0], rounds=4, modes=("host", "device"), seed=2)
        s.write_run(names[2], s.BOARDS[3], rounds=1, seed=3)
        s.write_run(
            names[3],
            s.BOARDS[1],
            frameworks=s.HOSTILE,
            precisions=("fp32",),
            batch_sizes=(8, 16),
            rounds=2,
            seed=4,
        )
    return names


def write_outputs(source: Path, everything: Sequence[list[str]], out: Path) -> None:
    """Write what each command prints and writes with the code in ``source``, a folder a command."""
    out.mkdir(parents=True)
    subprocess.run(
        [sys.executable, __file__, "--child", out],
        env=os.environ | {"PYTHONPATH": str(source), "PYTHONHASHSEED": "0", "COLUMNS": "200"},
        input=json.dumps(everything), text=True, check=True,
    )  # fmt: skip


def child(out: Path) -> None:
    """Run the commands that come on standard input, in this process."""
    from inferometer.cli import invoke

    for number, words in enumerate(json.load(sys.stdin)):
        place = out / str(number)
        place.mkdir()
        os.chdir(place)
        printed, said = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
            status = invoke(words)
        for name, stream in (("printed", printed), ("said", said)):
            stream.flush()
            Path(name).write_bytes(stream.buffer.getvalue())
        Path("status").write_text(str(status))


def difference(before: bytes, after: bytes) -> str:
    """Return the first line that differs, cut to where it does."""
    lines = itertools.zip_longest(before.split(b"\n"), after.split(b"\n"), fillvalue=b"")
    for number, (old, new) in enumerate(lines, 1):
        if old != new:
            at = next((i for i, (x, y) in enumerate(zip(old, new, strict=False)) if x != y), 0)
            cut = slice(max(0, at - 40), at + 80)
            return f"line {number}, byte {at}: {old[cut]!r} became {new[cut]!r}"
    return "the same"


def compared(everything: Sequence[list[str]], before: Path, after: Path) -> int:
    """Print every output that differs, and return how many do."""
    differing = 0
    for number, words in enumerate(everything):
        old, new = before / str(number), after / str(number)
        for name in sorted({file.name for folder in (old, new) for file in folder.iterdir()}):
            texts = [(f / name).read_bytes() if (f / name).exists() else b"" for f in (old, new)]
            texts = [_DATE.sub(b"", text) for text in texts]  # a page says when it was made
            if texts[0] != texts[1]:
                differing += 1
                print(f"{' '.join(words)}: {name}: {difference(*texts)}", flush=True)
    return differing


def main() -> int:
    """Compare all outputs; exit status 1 if any differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", nargs="?", default="HEAD")
    parser.add_argument("--big", default="", help="two big runs, by comma")
    parser.add_argument("--only", default="", help="only commands that begin with this")
    parser.add_argument("--keep", type=Path, help="folder of the simulated runs and the outputs of REVISION")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        kept, code, after = (
            (given.keep or Path(temporary) / "kept").resolve(),
            Path(temporary) / "code",
            Path(temporary) / "after",
        )
        code.mkdir()
        a, b, c, d = simulated(kept / "runs")
        big = [Path(path).resolve() for path in given.big.split(",") if path]
        examples = sorted(path.parent for path in (ROOT / "examples").rglob("run.json"))
        whole = [[b], [examples[-1]], *([run] for run in big[:1]), [a, c, d]]
        pairs = [(a, b), (a, c), (d, d), *itertools.pairwise(examples[::3]), *itertools.pairwise(big)]
        everything = [
            words for words in commands(whole, examples, pairs) if " ".join(words).startswith(given.only)
        ]
        for run in big:
            (run / KEPT).unlink(missing_ok=True)
        before = kept / f"{given.revision}-{given.only or 'all'}-{'big' if big else 'small'}"
        if not before.exists():
            archive = subprocess.run(
                ["git", "archive", given.revision, "src"], cwd=ROOT, capture_output=True, check=True
            )
            subprocess.run(["tar", "x", "-C", code], input=archive.stdout, check=True)
            write_outputs(code / "src", everything, before)
        for run in big:
            (run / KEPT).unlink(missing_ok=True)
        write_outputs(ROOT / "src", everything, after)
        differing = compared(everything, before, after)
    print(f"{len(everything)} commands, {differing} outputs differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
