"""What it takes to run it all again: command, version, model, seed, and the packages of every environment."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.report.page.sections import Content
from inferometer.storage.commands import again
from inferometer.storage.run_directory import StoredRun

ORDER, TITLE = 90, "Run it again"


@dataclass(frozen=True)
class Recipe:
    """One run: what is told of it as (name, text), and the packages that were pinned, a row an environment."""

    name: str
    facts: tuple[tuple[str, str], ...]
    pins: tuple[tuple[str, str], ...]


def build(content: Content) -> tuple[Recipe, ...]:
    """Return a recipe for each run that was measured; imported ones cannot be run again."""
    return tuple(_recipe(run) for run in content.results.runs if run.info.source == "measured")


def _recipe(run: StoredRun) -> Recipe:
    info = run.info
    facts = (
        ("Command", again(info.command)),
        ("inferometer", info.tool),
        ("Model", " ".join(part for part in (info.model.source, info.model.weights) if part)),
        ("Model hash", info.model.hash),
        ("Seed", str(info.protocol.seed)),
    )
    return Recipe(run.path.name, tuple((name, text) for name, text in facts if text), _pins(run))


def _pins(run: StoredRun) -> tuple[tuple[str, str], ...]:
    """Return (rows, packages), rows that share an environment together."""
    rows: dict[str, list[str]] = {}
    for row, facts in run.info.environments.items():
        pins = facts.get("pins") if isinstance(facts, dict) else None
        if isinstance(pins, list):
            rows.setdefault(", ".join(map(str, pins)), []).append(row)
    return tuple((", ".join(names), packages) for packages, names in rows.items() if packages)
