"""Proves that reports name no difference where there is none in more than 5 % of draws, for docs/statistics.md.

    python benchmarks/no_difference.py [--draws 1000] [--seed 1] [--kind KIND]

Findings, verdicts and recommendations (by throughput and by energy) of every draw are read, and the draws counted in which any
sentence names a difference of throughput, energy or power. The kinds of draws are those of tests/support/no_difference.py, in
turn. Exit status 1 above 5 % in all. A part of it is run as a test (tests/findings/test_no_difference.py).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/support"))

from no_difference import KINDS, results_of, told


def main() -> int:
    """Print a line a kind, and one of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this one (again for more)")
    parser.add_argument("--show", action="store_true", help="print every such sentence")
    given = parser.parse_args()
    kinds = tuple(given.kind or KINDS)
    draws, false = Counter(), Counter()
    for number in range(given.draws):
        kind = kinds[number % len(kinds)]
        found = told(results_of(kind, given.seed + number))
        draws.update([(kind, "any"), ("all", "any")])
        places = [place for place, texts in found.items() if texts]
        for where in (*places, *(["any"] if places else [])):
            false.update([(kind, where), ("all", where)])
        if given.show and places:
            print(kind, number, [text for texts in found.values() for text in texts])
    print(f"{'kind':<16} {'draws':>6} {'findings':>9} {'verdicts':>9} {'recommend':>10} {'any':>6}")
    for kind in (*kinds, "all"):
        count = draws[kind, "any"]
        shares = [
            100 * false[kind, where] / max(count, 1) for where in ("findings", "verdicts", "recommend", "any")
        ]
        print(
            f"{kind:<16} {count:>6} {shares[0]:>7.1f} % {shares[1]:>7.1f} % {shares[2]:>8.1f} % {shares[3]:>4.1f} %"
        )
    return int(false["all", "any"] > 0.05 * given.draws)


if __name__ == "__main__":
    sys.exit(main())
