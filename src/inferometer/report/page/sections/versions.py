"""Versions of the frameworks, and the runs that the report is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from inferometer.report.page.sections import Content
from inferometer.results.cells import Results
from inferometer.storage.run_directory import StoredRun

ORDER, TITLE = 80, "Versions"


@dataclass(frozen=True)
class Versions:
    """Rows of two tables."""

    versions: tuple[tuple[str, ...], ...]
    runs: tuple[tuple[str, ...], ...]


def build(content: Content) -> Versions:
    """Return the versions and the runs."""
    return Versions(versions(content.results), tuple(run_facts(run) for run in content.results.runs))


def versions(results: Results) -> tuple[tuple[str, ...], ...]:
    """Return (framework, version, machines, devices, threads, further versions), one row a distinct set of versions."""
    rows: dict[tuple[str, ...], dict[str, None]] = {}
    for s in results.summaries:
        actual = s.actual
        if actual is None or not actual.version:
            continue
        further = ", ".join(f"{name} {version}" for name, version in sorted(actual.versions.items()))
        key = (s.cell.framework, actual.version, actual.device, str(actual.threads or ""), further)
        rows.setdefault(key, {})[s.machine] = None
    return tuple((*key[:2], ", ".join(machines), *key[2:]) for key, machines in sorted(rows.items()))


def run_facts(run: StoredRun) -> tuple[str, ...]:
    """Return name, begin, source, model, number of records, command and notes of a run."""
    info = run.info
    records = f"{len(run.records):,}"
    if run.missing:
        records += f" (and {len(run.missing):,} still to come)"
    return (
        run.path.name,
        _moment(info.created_at),
        info.source,
        info.model.name,
        records,
        info.command,
        "; ".join(info.notes),
    )


def _moment(text: str) -> str:
    """Return an ISO time as people write it; any other text as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment.tzinfo else text
