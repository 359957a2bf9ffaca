"""The report as Markdown, for a pull request: verdict, throughput and energy tables, findings, failed cells."""

from __future__ import annotations

from pathlib import Path

from inferometer.findings import findings
from inferometer.recommendation import render
from inferometer.recommendation.recommend import recommend
from inferometer.report.writing import writing
from inferometer.results.cells import Results
from inferometer.results.completeness import unfinished
from inferometer.results.metrics import Place, metrics_in
from inferometer.results.under_load import summarise_load
from inferometer.tables import build, to_markdown
from inferometer.tables.markup import markdown_text
from inferometer.tables.under_load import load_markdown


def render_markdown(results: Results, *, title: str, reference: str | None = None) -> str:
    """Return the whole report; ``reference``: the machine that an asterisk means beating."""
    parts = [f"## {markdown_text(title)}", "### Verdict", _verdict(results)]
    found = [f"- {markdown_text(finding.text)}" for finding in findings(results)]
    if found:
        parts += ["### Findings", "\n".join(found)]
    for metric in metrics_in(Place.MARKDOWN):
        for table in build(results, metric, reference):
            if not table.is_empty:
                parts.append(to_markdown(table))
    if under_load := load_markdown(summarise_load(results)):
        parts += ["### Under load", under_load]
    parts += ["### Runs", "\n".join(_runs(results))]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _verdict(results: Results) -> str:
    found = recommend(results)
    if not found:
        return "\n".join(f"- {markdown_text(line)}" for line in unfinished(results))
    return render.to_markdown(found)


def _runs(results: Results) -> list[str]:
    lines = []
    for run in results.runs:
        info = run.info
        protocol = info.protocol
        gpus = ", ".join(info.machine.gpu_names)
        machine = ", ".join(
            part for part in (info.machine.name, info.machine.cpu, gpus, info.machine.os) if part
        )
        lines.append(
            f"- {markdown_text(run.path.name)} ({info.source}, {info.created_at[:10]}): {markdown_text(machine)}; "
            f"{protocol.images} images, {protocol.loops} loops, {protocol.rounds} rounds"
        )
    return lines


def write_markdown(results: Results, path: Path, *, title: str, reference: str | None = None) -> None:
    """Write the report; StoreError if ``path`` cannot be written."""
    with writing(path):
        path.write_text(render_markdown(results, title=title, reference=reference), encoding="utf-8")
