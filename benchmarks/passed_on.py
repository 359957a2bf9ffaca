"""The command line of benchmarks that call `inferometer run`: their own arguments, and after `--` those for it."""

from __future__ import annotations

import argparse
import sys


def parse(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[str]]:
    """Return the benchmark's own arguments, and what stands behind `--`."""
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    return parser.parse_args(given[:cut]), given[cut + 1 :]
