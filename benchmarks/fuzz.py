"""Malformed inputs by seed for every reader, and a table of what became of them.

Each input must be read, or refused in one line: no traceback, no hang, no memory without bound, nothing run from a file.

    python benchmarks/fuzz.py                         10,000 inputs, shared between the readers of this process and of the steps
    python benchmarks/fuzz.py --readers CSV --count 500 --seed 7
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))
_SHOWN = 3  # of each kind of fault
_ABOUT = """# Malformed inputs

Outcomes of `python benchmarks/fuzz.py`: whole files, rows and words, changed by seed, and what each reader made of them. Read are inputs that still mean something; refused
are those that ended in one line; a reader that died is one whose process a framework's own code ended, told in one line. A fault would be a traceback, a message of a
framework in place of a line, 20 s of a processor (60 s in an environment) without an end, more than 1 GiB (6 GiB in an environment, its framework included), or code
of a file that ran.

"""


def main() -> int:
    from fuzzing.outcome import table_of
    from fuzzing.readers import READERS

    asked = _arguments([reader.name for reader in READERS])
    chosen = [reader for reader in READERS if not asked.readers or reader.name in asked.readers]
    count = -(-asked.count // len(chosen))
    outcomes: dict[str, Counter[str]] = {}
    for reader in chosen:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            read = reader(Path(folder))
            try:
                outcomes[reader.name] = _counts(read, asked.seed, count)
            finally:
                getattr(read, "close", lambda: None)()
        print(f"{reader.name}: {count} inputs in {time.monotonic() - started:.0f} s", file=sys.stderr)
    table = f"Seed {asked.seed}, {count:,} inputs a reader.\n\n" + "\n".join(table_of(outcomes)) + "\n"
    print(table)
    if asked.out:
        asked.out.write_text(_ABOUT + table)
    faults = sum(n for counts in outcomes.values() for kind, n in counts.items() if not _is_fine(kind))
    return 1 if faults else 0


def _is_fine(kind: str) -> bool:
    from fuzzing.outcome import FINE

    return kind in FINE


def _counts(read, seed: int, count: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for place in range(seed, seed + count):
        outcome = read(place)
        counts[outcome.kind] += 1
        if not outcome.fine and counts[outcome.kind] <= _SHOWN:
            print(f"{read.name}, seed {place}: {outcome.kind}: {outcome.told}", file=sys.stderr, flush=True)
    return counts


def _arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=0, help="the first; the others follow it")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write the table here, as docs/results/fuzz.md is"
    )
    parser.add_argument("--readers", nargs="+", choices=names, metavar="READER", help=", ".join(names))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
