"""Measures how soon a report of 1,000 cells shows its first figure, for docs/report.md's claim.

    python benchmarks/first_figure.py [--repeat 5]

1,008 cells are simulated (tests/support/simulated_runs.py), the page is opened in Chromium from disk. Printed, of each repetition: the wall time from
navigation to the first frontier in the document, and the processor time of the page's main thread until then (what counts on a machine
busy with other things); for comparison the moment at which the whole page is ready.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/support"))

FRAMEWORKS = tuple(f"framework-{number:02}" for number in range(12))
WATCH = """
window.seen = {};
new MutationObserver((_, observer) => {
  if (!seen.first && document.querySelector(".frontier svg")) seen.first = performance.now();
  if (document.documentElement.dataset.drawn !== "yes") return;
  seen.all = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true, attributes: true });
"""


def write_page(folder: Path) -> Path:
    """Write the runs and their report, and return its path."""
    import simulated_runs as simulated
    from inferometer.report.page.html import write_report
    from inferometer.results.summary import summarise
    from inferometer.storage.find import read_runs

    for number, board in enumerate(simulated.BOARDS):
        simulated.write_run(
            folder / f"run-{number}",
            board,
            frameworks=FRAMEWORKS,
            rounds=2,
            loops=3,
            batches=10,
            failures=False,
        )
    results = summarise(read_runs([folder]))
    out = write_report(results, folder / "report.html")
    print(f"{len(results.summaries):,} cells, {out.stat().st_size / 1e6:.1f} MB")
    return out


def measure(report: Path, repeat: int) -> None:
    """Open the page again and again and print what each time took."""
    from playwright.sync_api import sync_playwright

    walls = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for _ in range(repeat):
            page = browser.new_page(viewport={"width": 1400, "height": 1000}, bypass_csp=True)
            page.add_init_script(WATCH)
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(report.as_uri(), wait_until="commit")
            page.wait_for_function("window.seen && window.seen.first", polling=20)
            metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
            page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)
            seen = page.evaluate("window.seen")
            walls.append(seen["first"] / 1e3)
            print(
                f"first figure {walls[-1]:.2f} s, of the main thread {metrics['TaskDuration']:.2f} s; all {seen['all'] / 1e3:.2f} s"
            )
            page.close()
        browser.close()
    print(f"median of {repeat}: {statistics.median(walls):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    with tempfile.TemporaryDirectory() as folder:
        measure(write_page(Path(folder)), parser.parse_args().repeat)


if __name__ == "__main__":
    main()
