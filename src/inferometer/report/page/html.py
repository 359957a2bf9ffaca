"""One self-contained HTML file: styles, scripts, figures and data inlined; no request leaves it.

A content security policy with the hashes of the page's own scripts stands behind the escaping: nothing else runs,
nothing is fetched, even if a name slipped through.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from inferometer.recommendation.objectives import USUAL_PRICES, Prices
from inferometer.report.figures.chart import Chart
from inferometer.report.figures.colours import palette_of
from inferometer.report.figures.legend_symbols import dash_array, symbol_sprite
from inferometer.report.figures.palette import DARK, LIGHT, Palette
from inferometer.report.page.facts import heading
from inferometer.report.page.figure_data import chart_data
from inferometer.report.page.frontier import axes, symbols
from inferometer.report.page.page import Page, build
from inferometer.report.writing import writing
from inferometer.results.cells import Results
from inferometer.version import __version__

ASSETS = Path(__file__).with_name("assets")
SCRIPTS = (
    "dom.js", "rule.js", "state.js", "answers.js", "limits.js", "ticks.js", "drawing.js", "intervals.js", "frontier.js", "figures.js",
    "figure_table.js", "decide.js", "heatmap.js", "rove.js", "drawer.js", "cells.js", "saving.js", "report.js",
)  # fmt: skip
BEGIN = "inferometer.begin();"  # right behind the first screen, which is drawn before the rest is read
_JSON_ESCAPES = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def write_report(
    results: Results,
    out: Path,
    *,
    title: str = "",
    reference: str | None = None,
    prices: Prices = USUAL_PRICES,
) -> Path:
    """Write the report to ``out`` and return it; StoreError if it cannot be written.

    ``title``: the heading; default: the models and the machines.
    ``reference`` names the machine that an asterisk means beating; default: the one with most wins of each metric.
    ``prices``: of what an option costs.
    """
    context = _context(results, title, (), reference, prices)
    # joined, the pieces of a big page would take as much again
    page = [piece.encode() for piece in _whole(context)]
    with writing(out, "give another --out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("wb") as file:
            file.writelines(page)
    return out


def render(
    results: Results,
    *,
    title: str = "",
    reference: str | None = None,
    prices: Prices = USUAL_PRICES,
    notices: Sequence[str] = (),
    live_tag: str = "",
) -> str:
    """Return the whole page; a ``live_tag`` (the tag of this version) adds the script that follows a server."""
    return "".join(_whole(_context(results, title, notices, reference, prices), live_tag))


def render_live(
    results: Results, *, title: str = "", notices: Sequence[str] = (), live_tag: str
) -> tuple[str, str]:
    """Return the whole page, and what is inside its ``main`` alone, for a page that shows the version before."""
    context = _context(results, title, notices)
    return "".join(_whole(context, live_tag)), filled("body.html.j2", context, live_tag=live_tag)


def _whole(context: dict[str, Any], live_tag: str = "") -> Iterator[str]:
    live = bool(live_tag)
    scripts = {
        "library": library(),
        "script": "\n".join(asset(name) for name in SCRIPTS),
        "live": asset("live.js") if live else "",
    }
    now = "" if live else f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return pieces(
        "report.html.j2",
        context,
        live_tag=live_tag,
        policy=policy_of([BEGIN, *(script for script in scripts.values() if script)], live=live),
        style=own(_colours() + asset("report.css")),
        symbol_sprite=own(symbol_sprite()),
        version=__version__,
        made_at=now,
        **{name: own(script) for name, script in scripts.items()},
    )


def _context(
    results: Results,
    title: str,
    notices: Sequence[str],
    reference: str | None = None,
    prices: Prices = USUAL_PRICES,
) -> dict[str, Any]:
    palette = palette_of(results)
    page, charts = build(results, palette, title or heading(results), reference, prices)
    return {
        "page": page,
        "notices": notices,
        "data": own(as_data(_first_screen(page, palette, prices))),
        "details": own(as_data(_details(page, charts, palette))),
        "begin": own(BEGIN),
        "dash_array": dash_array,
        "colours": len(LIGHT),
    }


def _first_screen(page: Page, palette: Palette, prices: Prices) -> dict[str, Any]:
    return {
        "light": LIGHT,
        "dark": DARK,
        "frameworks": palette.frameworks,
        "groups": page.groups,
        "axes": {
            name: {"title": title, "unit": unit, "more": more}
            for name, (title, unit, more) in axes(prices).items()
        },
        "symbols": symbols(),
    }


def _details(page: Page, charts: dict[str, Chart], palette: Palette) -> dict[str, Any]:
    """Return what only the rest of the page needs: much, so that it comes last."""
    figures = {key: chart_data(chart, palette) for key, chart in charts.items()}
    return {"figures": figures, "evidence": page.evidence}


def as_data(data: Any) -> str:
    """Return data as JSON that is safe within a script element."""
    text = msgspec.json.encode(data).decode()
    for sign, escaped in _JSON_ESCAPES.items():  # five passes take a tenth of the time of one `translate`
        text = text.replace(sign, escaped)
    return text


def policy_of(scripts: Sequence[str], *, live: bool = False) -> str:
    """Return the content security policy of a page with these scripts, which asks for nothing but, where ``live``, its server."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        f"connect-src {chr(39)}{'self' if live else 'none'}{chr(39)}; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _colours() -> str:
    """Return the frameworks' colours as CSS variables, ``--f0`` and on."""
    light = "".join(f"--f{i}:{colour};" for i, colour in enumerate(LIGHT))
    dark = "".join(f"--f{i}:{colour};" for i, colour in enumerate(DARK))
    return f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def library() -> str:
    """Return Observable Plot, which draws the figures (`assets/vendor`)."""
    return asset("vendor/plot.min.js")


@functools.cache
def asset(name: str) -> str:
    """Return a file of the page's own."""
    return (ASSETS / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=False,
    )


def filled(template: str, context: dict[str, Any], **more: Any) -> str:
    """Return a template with its values, every text escaped but what `own` marks."""
    return "".join(pieces(template, context, **more))


def pieces(template: str, context: dict[str, Any], **more: Any) -> Iterator[str]:
    """Return `filled` piece by piece."""
    return iter(_environment().get_template(template).generate(context, **more))


def own(text: str) -> Any:
    """Mark text of the page's own as not to be escaped."""
    from markupsafe import Markup

    return Markup(text)
