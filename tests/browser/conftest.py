"""A real Chromium for tests of the page."""

import shutil

import pytest

from inferometer.report.page.html import write_report
from parts import missing

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip


@pytest.fixture(scope="module")  # playwright runs an event loop of its own as long as it is open
def chromium():
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if not executable:
        missing("Chromium (apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright (pip install 'inferometer[dev]')")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


DRAWN = "html[data-drawn=yes]"
PATIENCE_MS = 120_000  # on a machine that is busy with other things


class Visit:
    """An open page, and everything it asked for or complained of."""

    def __init__(self, browser, url, **options):
        self.context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        self.page.goto(url)
        self.drawn()

    def drawn(self):
        self.page.wait_for_selector(DRAWN, state="attached")

    def data(self, details):
        """Open a figure's data; the page makes its tables a moment after the click. Return the first."""
        self.page.locator(f"{details} summary").click()
        table = self.page.locator(f"{details} table").first
        table.wait_for()
        return table

    def names(self, figure):
        """Return the series that a figure shows."""
        shown = self.page.locator(f"[data-figure='{figure}']").get_attribute("data-series")
        return shown.split("|") if shown else []

    def ticks(self, figure, letter):
        """Return the labels of a figure's axis as they were drawn."""
        return self.page.locator(
            f"[data-figure='{figure}'] [aria-label='{letter}-axis tick label'] text"
        ).all_text_contents()


@pytest.fixture(scope="module")
def report(results, tmp_path_factory):
    return write_report(results, tmp_path_factory.mktemp("report") / "report.html").as_uri()


@pytest.fixture
def visit(chromium):
    visits = []

    def open_page(url, **options):
        visits.append(Visit(chromium, url, **options))
        return visits[-1]

    yield open_page
    for one in visits:
        one.context.close()
