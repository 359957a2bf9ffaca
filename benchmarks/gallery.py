"""Takes the pictures of the report that README and docs show, of the runs in `examples/`, in a real Chromium.

    python benchmarks/gallery.py [--out docs/gallery]

Needs the development environment (playwright) and Chromium. Pictures have 128 colours, so that each stays below 100 kB.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from inferometer.report.page.html import write_report
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run

ROOT = Path(__file__).resolve().parents[1]
H100, CPU = "h100/report", "quick-2-cores"


@dataclass(frozen=True)
class Picture:
    """A view of a report: of which runs, at what address, how large, and the element at its top."""

    name: str
    runs: tuple[str, ...]
    address: str = ""
    size: tuple[int, int] = (1180, 900)
    scheme: str = "light"
    top: str = "body"


PICTURES = (
    Picture("first-screen", (H100,)),
    Picture("limit", (H100, CPU), "#max-latency-ms=20", (1180, 860)),
    Picture("heat-map", (H100, CPU), size=(1180, 640), top="#heatmap"),
    Picture("evidence", (H100,), "#c=NVIDIA+H100+80GB+HBM3/onnxrt/fp32/128/host&sort=6.down", top="#cells"),
    Picture("dark", (H100, CPU), "#y=per_joule", scheme="dark"),
    Picture("phone", (H100,), "#max-latency-ms=20", (390, 840)),
)


def main() -> int:
    """Take every picture; exit status 1 without Chromium."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery")
    out = parser.parse_args().out
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if not executable:
        print("no Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--headless", "--no-sandbox"])
        for picture in PICTURES:
            file = out / f"{picture.name}.png"
            small(take(browser, picture, report_of(picture.runs, Path(folder)))).save(file, optimize=True)
            print(f"{file}: {file.stat().st_size / 1e3:.0f} kB")
        browser.close()
    return 0


def report_of(runs: Sequence[str], folder: Path) -> Path:
    """Return the report of some example runs."""
    found = [read_run(ROOT / "examples" / run) for run in runs]
    return write_report(summarise(found), folder / f"{'+'.join(runs).replace('/', '-')}.html")


def take(browser: Any, picture: Picture, report: Path) -> bytes:
    """Return a PNG of a view."""
    width, height = picture.size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=picture.scheme)
    page.goto(report.as_uri() + picture.address)
    page.wait_for_selector("html[data-drawn=yes]", state="attached")
    page.evaluate("top => document.querySelector(top).scrollIntoView()", picture.top)
    page.wait_for_timeout(300)
    content: bytes = page.screenshot()
    page.close()
    return content


def small(content: bytes) -> Image.Image:
    """Return a picture of few colours."""
    return Image.open(io.BytesIO(content)).convert("RGB").quantize(128)


if __name__ == "__main__":
    raise SystemExit(main())
