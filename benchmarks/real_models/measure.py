"""Measures real models that nobody here wrote, on every row of the CPU, and writes what they reached.

    python benchmarks/real_models/measure.py CACHE [--only NAME,...] [--frameworks all] [--out docs/results/real-models.md]

CACHE gets the packages (some 500 MB) and a run directory a model; a model that has one is not measured again. The arguments
after `--` go to `inferometer run`, before them: --preset quick --batch-sizes 1,8.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from catalogue import HERE, Model, models, pinned, ready
from table import conclusion, markdown, reached

from inferometer.version import __version__

sys.path.append(str(HERE.parent))
import passed_on

PROTOCOL = ("--preset", "quick", "--batch-sizes", "1,8", "--device", "cpu")
HEAD = """# Real models

Models that nobody here wrote, out of packages, and how far each comes. Made by `benchmarks/real_models/measure.py` with inferometer
{version}: `inferometer run MODEL {options}`, where MODEL is what the first column says. {conclusion}

*ranked*: rows whose outputs are the model's own; *images/s*: what these did (items, where the model takes no images), and by way of whose
converter their model came; *largest error*: of any ranked row, relative to the largest output. The machine was shared with other work: the speeds
show order, no more.

"""


def main() -> None:
    arguments, extra = _arguments()
    cache = arguments.cache.resolve()
    wanted = [model for model in models() if not arguments.only or model.name in arguments.only.split(",")]
    if not arguments.table_only:
        for model in wanted:
            measure(model, cache, arguments.frameworks, extra)
    found = [reached(model, version_of(model), run_folder(model, cache)) for model in wanted]
    options = " ".join((*PROTOCOL, "--frameworks", arguments.frameworks, *extra))
    head = HEAD.format(version=__version__, options=options, conclusion=conclusion(found))
    arguments.out.write_text(head + markdown(found), encoding="utf-8")


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, metavar="CACHE")
    parser.add_argument("--only", default="", help="names of models.toml, with commas")
    parser.add_argument("--frameworks", default="all", help="as of `inferometer run`")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "docs" / "results" / "real-models.md")
    parser.add_argument("--table-only", action="store_true", help="measure nothing, write the table again")
    return passed_on.parse(parser)


def measure(model: Model, cache: Path, frameworks: str, extra: Sequence[str]) -> None:
    """Run inferometer on a model that has no run directory yet; what it printed lies beside it."""
    folder = run_folder(model, cache)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if (folder / "run.json").exists():
        return
    log = folder.with_name(f"{folder.name}.log")
    try:
        ready(model, cache)
    except RuntimeError as error:
        log.write_text(f"{error}\n")
        return
    command = [sys.executable, "-m", "inferometer", "run", *model.command(cache)]
    options = [*PROTOCOL, "--frameworks", frameworks, *extra, "--out", str(folder)]
    print(f"{model.name} ...", flush=True)
    with log.open("w") as output:
        code = subprocess.run([*command, *options], stdout=output, stderr=output, check=False).returncode
    print(f"{model.name}: ended with {code}", flush=True)


def run_folder(model: Model, cache: Path) -> Path:
    return cache / "runs" / model.name


def version_of(model: Model) -> str:
    return model.version or pinned(model.package)


if __name__ == "__main__":
    main()
