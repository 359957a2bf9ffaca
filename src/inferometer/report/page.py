"""Everything the HTML template shows, in order; texts and numbers only, no markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inferometer.findings import findings
from inferometer.records import Machine, RunInfo
from inferometer.report.chart import Chart, Plate
from inferometer.report.grid import TableView, absent, grids
from inferometer.report.palette import Palette, Style
from inferometer.report.plates import plates, track
from inferometer.report.verdict import Verdict, verdicts
from inferometer.store import StoredRun
from inferometer.summary import CellSummary, Results
from inferometer.units import duration, significant, size

LEGIBLE_SERIES = 24  # figures start with one precision where there would be more lines than this


@dataclass(frozen=True)
class Key:
    """One entry of a figure's legend."""

    index: int
    name: str
    style: Style
    note: str = ""
    precision: str = ""  # of the one series it stands for; empty: of all of the framework's


@dataclass(frozen=True)
class PanelView:
    """One panel with its legend, if it has one of its own."""

    chart: Chart
    figure: str  # key in the page's figures
    height_px: int
    label: str  # what a screen reader says
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class PlateView:
    """A figure with its controls."""

    plate: Plate
    anchor: str
    panels: tuple[PanelView, ...]
    keys: tuple[Key, ...]
    machines: tuple[tuple[str, str], ...]  # (name, symbol) where markers stand for machines
    batch_sizes: tuple[int, ...]  # to choose from, where one is shown at a time
    axes: tuple[tuple[str, str, bool], ...]  # (letter, label, logarithmic) that can be switched


@dataclass(frozen=True)
class Section:
    """The results of one model in one mode."""

    anchor: str
    title: str
    verdicts: tuple[Verdict, ...]
    tables: tuple[TableView, ...]
    absent: tuple[str, ...]  # metrics without any value
    plates: tuple[PlateView, ...]


@dataclass(frozen=True)
class Choice:
    """A framework or a precision that can be hidden."""

    value: str
    name: str
    style: Style | None
    checked: bool = True


@dataclass(frozen=True)
class Failure:
    """Cells that failed alike: those of one framework, precision, mode and cause."""

    machines: tuple[str, ...]
    framework: str
    index: int
    precision: str
    mode: str
    batch_sizes: tuple[int, ...]
    status: str
    cause: str
    log: str


@dataclass(frozen=True)
class Progress:
    """A run that is not complete."""

    name: str
    ended: int
    planned: int


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    facts: tuple[str, ...]
    sections: tuple[Section, ...]
    frameworks: tuple[Choice, ...]
    precisions: tuple[Choice, ...]
    restricted: str
    findings: tuple[tuple[str, tuple[str, ...]], ...]  # heading, sentences
    failures: tuple[Failure, ...]
    flags: tuple[tuple[str, str], ...]
    machines: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    versions: tuple[tuple[str, ...], ...]
    runs: tuple[tuple[str, ...], ...]
    method: tuple[str, ...]
    progress: tuple[Progress, ...]  # runs that are not complete
    references: str  # machines that an asterisk compares with
    empty: bool


def build(
    results: Results, palette: Palette, title: str, reference: str | None = None
) -> tuple[Page, dict[str, Chart]]:
    """Return the page, and the charts that its figures draw by their key."""
    charts: dict[str, Chart] = {}
    views = grids(results, palette, reference)
    sections = tuple(
        _section(results, number, palette, charts, views[section])
        for number, section in enumerate(results.sections)
    )
    precisions = _precisions(results)
    page = Page(
        title=title,
        facts=_facts(results),
        sections=sections,
        frameworks=tuple(Choice(str(palette.index(f)), f, palette.style(f)) for f in palette.frameworks),
        precisions=precisions,
        restricted=_restricted(precisions, len(palette.frameworks)),
        findings=_findings(results),
        failures=_failures(results, palette),
        flags=_flags(results.summaries),
        machines=tuple((label, machine_facts(machine)) for label, machine in results.machines.items()),
        versions=_versions(results),
        runs=tuple(_run(run) for run in results.runs),
        method=_method([run.info for run in results.runs]),
        progress=tuple(_progress(run) for run in results.runs if run.missing),
        references=_references(sections),
        empty=not results.summaries,
    )
    return page, charts


def palette_of(results: Results) -> Palette:
    """Return one look per framework of these results."""
    return Palette(track(summary) for summary in results.summaries)


# ---- sections and their figures


def _references(sections: Sequence[Section]) -> str:
    """Return the machine that asterisks mean: one where all tables agree, else that each has its own."""
    names = {table.reference for section in sections for table in section.tables if table.reference}
    if len(names) > 1:
        return "the machine with most wins of its metric"
    return next(iter(names), "")


_MODES = {
    "host": "host to host",
    "device": "resident on the device",
    "host-pipelined": "host to host, pipelined",
}


def _section(
    results: Results,
    number: int,
    palette: Palette,
    charts: dict[str, Chart],
    tables: Sequence[TableView],
) -> Section:
    model, mode = results.sections[number]
    anchor = f"s{number}"
    views = tuple(_plate(plate, anchor, palette, charts) for plate in plates(results, model, mode))
    title = f"{model}, {_MODES.get(mode, f'{mode} mode')}" if len(results.sections) > 1 else ""
    return Section(anchor, title, verdicts(results, model, mode), tuple(tables), absent(tables), views)


def _plate(plate: Plate, anchor: str, palette: Palette, charts: dict[str, Chart]) -> PlateView:
    panels = []
    for chart in plate.charts:
        key = f"{anchor}-{chart.key}"
        charts[key] = chart
        panels.append(_panel(plate, chart, key, palette))
    shared = plate.charts and plate.charts[0].kind in ("lines", "dots", "boxes")
    first = plate.charts[0] if plate.charts else None
    one_size = first is not None and first.kind in ("dots", "boxes")
    return PlateView(
        plate,
        f"{anchor}-{plate.key}",
        tuple(panels),
        _keys([s for c in plate.charts for s in _named(c)], palette) if shared else (),
        _machine_keys(first) if first else (),
        tuple(sorted({size for c in plate.charts for size in c.batch_sizes})) if one_size else (),
        _axes(plate.charts),
    )


def _panel(plate: Plate, chart: Chart, key: str, palette: Palette) -> PanelView:
    from inferometer.report.draw import layout

    where = f" on {chart.title}" if chart.title else ""
    frameworks = len({series.framework for series in chart.series})
    label = (
        f"{plate.title}{where}: {frameworks} framework{'s' if frameworks > 1 else ''}, {len(chart.series)} series. "
        "The data follow as a table."
    )
    keys: tuple[Key, ...] = ()
    if chart.kind == "fit":
        keys = tuple(
            Key(
                palette.index(s.framework),
                s.name,
                palette.style(s.framework, s.precision),
                f"R² {s.fit.r2:.2f}" if s.fit else "no line: fewer than 3 points",
                s.precision,
            )
            for s in chart.series
        )
    return PanelView(chart, key, int(layout(chart)["height"]), label, keys)


def _named(chart: Chart) -> Iterable[str]:
    return (series.framework for series in chart.series)


def _keys(names: Iterable[str], palette: Palette) -> tuple[Key, ...]:
    return tuple(Key(palette.index(n), n, palette.style(n)) for n in sorted(set(names)))


def _machine_keys(chart: Chart) -> tuple[tuple[str, str], ...]:
    from inferometer.report.draw import machine_symbols

    return tuple(machine_symbols(chart).items()) if chart.kind == "dots" else ()


def _axes(charts: Sequence[Chart]) -> tuple[tuple[str, str, bool], ...]:
    if not charts:
        return ()
    chart = charts[0]
    axes = []
    for letter, axis in (("x", chart.x), ("y", chart.y)):
        if axis.label and not axis.ticks:
            log = any((c.x if letter == "x" else c.y).log for c in charts)
            axes.append((letter, axis.label.lower(), log))
    return tuple(axes)


def _precisions(results: Results) -> tuple[Choice, ...]:
    names = tuple(dict.fromkeys(s.cell.precision for s in results.summaries))
    series = {(track(s), s.cell.precision) for s in results.summaries if s.ranked}
    if len(series) <= LEGIBLE_SERIES or len(names) < 2:
        return tuple(Choice(name, name, None) for name in names)
    covered = [precision for _, precision in series]
    chosen = max(names, key=covered.count)
    return tuple(Choice(name, name, None, name == chosen) for name in names)


def _restricted(precisions: Sequence[Choice], frameworks: int) -> str:
    shown = [p.name for p in precisions if p.checked]
    if len(shown) == len(precisions):
        return ""
    return (
        f"Figures start with {', '.join(shown)}, which most frameworks have, to stay legible with {frameworks} "
        "frameworks; tick the others to add them. Tables always show every precision."
    )


# ---- facts


def _facts(results: Results) -> tuple[str, ...]:
    cells = results.summaries
    ok = sum(s.ranked for s in cells)
    models = tuple(dict.fromkeys(s.model for s in cells))
    precisions = tuple(dict.fromkeys(s.cell.precision for s in cells))
    frameworks = {track(s) for s in cells}
    sizes = results.batch_sizes
    facts = [
        ", ".join(models),
        _count(len(results.machines), "machine"),
        _count(len(frameworks), "framework"),
        ", ".join(precisions),
        f"batch sizes {sizes[0]} to {sizes[-1]}"
        if len(sizes) > 1
        else f"batch size {sizes[0]}"
        if sizes
        else "",
        f"{ok:,} of {_count(len(cells), 'cell')} measured",
        _count(len(results.runs), "run"),
    ]
    return tuple(fact for fact in facts if fact)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_FINDING_HEADINGS = {
    "winner": "Fastest at each batch size",
    "efficient": "Least energy",
    "contradiction": "Where the fastest is not the most frugal",
    "slope": "What more speed costs in power",
    "batch-size": "Where a larger batch stops paying",
    "machines": "Newer against older machines",
    "failures": "Cells without a figure",
}


def _findings(results: Results) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the findings' sentences by kind."""
    kinds: dict[str, list[str]] = {}
    for finding in findings(results):
        kinds.setdefault(finding.kind, []).append(finding.text)
    return tuple((_FINDING_HEADINGS.get(kind, kind), tuple(texts)) for kind, texts in kinds.items())


def _failures(results: Results, palette: Palette) -> tuple[Failure, ...]:
    """Return every failed cell, those alike on one machine together, then machines with the same ones."""
    groups: dict[tuple[str, ...], dict[str, list[CellSummary]]] = {}
    for s in results.summaries:
        if s.status != "ok":
            key = (s.model, track(s), s.cell.precision, s.cell.mode, s.status, s.cause)
            groups.setdefault(key, {}).setdefault(s.machine, []).append(s)
    failures = []
    for (_, framework, precision, mode, status, cause), by_machine in groups.items():
        alike: dict[tuple[int, ...], list[str]] = {}
        for machine, members in by_machine.items():
            sizes = tuple(sorted({s.cell.batch_size for s in members}))
            alike.setdefault(sizes, []).append(machine)
        for sizes, machines in alike.items():
            failures.append(
                Failure(
                    tuple(machines), framework, palette.index(framework), precision, mode, sizes,
                    status, cause or "no cause was recorded", _log(by_machine[machines[0]]),
                )
            )  # fmt: skip
    return tuple(failures)


def _progress(run: StoredRun) -> Progress:
    planned = len(run.info.cells) * run.info.protocol.rounds
    return Progress(run.path.name, planned - len(run.missing), planned)


def _log(members: Sequence[CellSummary]) -> str:
    return next(
        (record.log for s in members for record in s.records if record.log and record.status != "ok"), ""
    )


def _flags(cells: Iterable[CellSummary]) -> tuple[tuple[str, str], ...]:
    """Return what a reader must know about measured cells, each with how many cells it concerns."""
    counts: dict[str, int] = {}
    for cell in cells:
        for flag in cell.flags if cell.ranked else ():
            counts[flag] = counts.get(flag, 0) + 1
    return tuple((flag, _count(number, "cell")) for flag, number in sorted(counts.items()))


def machine_facts(machine: Machine) -> tuple[tuple[str, str], ...]:
    """Return what is known of a machine as (name, text)."""
    cores = f"{machine.physical_cores} cores, {machine.logical_cores} threads, {machine.usable_cores} usable"
    facts = [
        ("Host", machine.hostname),
        ("CPU", machine.cpu),
        ("Cores", cores if machine.physical_cores or machine.usable_cores else ""),
        ("Governor", machine.governor),
        ("Memory", size(machine.memory_bytes) if machine.memory_bytes else ""),
        ("System", ", ".join(part for part in (machine.os, machine.kernel) if part)),
        ("Virtualization", machine.virtualization),
        ("Python", machine.python),
    ]
    for gpu in machine.gpus:
        details = [
            gpu.name,
            size(gpu.memory_bytes) if gpu.memory_bytes else "",
            f"driver {gpu.driver}" if gpu.driver else "",
            f"CUDA {gpu.cuda}" if gpu.cuda else "",
            f"compute capability {gpu.compute_capability}" if gpu.compute_capability else "",
            f"power limit {significant(gpu.power_limit_w)} W" if gpu.power_limit_w else "",
        ]
        facts.append((f"GPU {gpu.index}", ", ".join(part for part in details if part)))
    return tuple((name, value) for name, value in facts if value)


def _versions(results: Results) -> tuple[tuple[str, ...], ...]:
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


def _run(run: StoredRun) -> tuple[str, ...]:
    info = run.info
    progress = f"{len(run.records):,}"
    if run.missing:
        progress += f" (and {len(run.missing):,} still to come)"
    return (
        run.path.name,
        info.created_at,
        info.source,
        info.model.name,
        progress,
        info.command,
        "; ".join(info.notes),
    )


def _method(infos: Sequence[RunInfo]) -> tuple[str, ...]:
    """Return how the numbers came about, in sentences."""
    sentences = [*dict.fromkeys(_protocol(info) for info in infos)]
    if any(info.source == "measured" for info in infos):
        sentences.append(
            "Every round is a fresh worker process with the framework in an environment of its own; rounds are "
            "interleaved across frameworks. Loading, compiling and the first run are recorded apart and never timed "
            "as inference."
        )
    sentences += [
        "Throughput is the mean over loops of images over elapsed time; latency per image is its inverse. "
        "Intervals are 95 % t intervals of the rounds' logarithms, so they hold the variation between processes. "
        "Where there was but one process the interval is of its loops and says nothing of the next process.",
        "A tie means that the data cannot tell two cells apart at the 5 % level after correction for the number of "
        "comparisons; nothing is claimed inside the noise. Host and device mode are never ranked against each other.",
        "Energy is of the device that did the work, over the timed loops, with the wider of the meter's own interval "
        "and the rounds' spread. Where the meter could not resolve it, or there was none, no number is given.",
    ]
    return tuple(sentence for sentence in sentences if sentence)


def _protocol(info: RunInfo) -> str:
    if info.source != "measured":
        return f"{info.model.name or 'Results'}: imported, measured by others."
    p = info.protocol
    return (
        f"{info.model.name}: {_count(p.rounds, 'round')} of {_count(p.loops, 'loop')} over {p.images} images after "
        f"{_count(p.warmup, 'warm-up batch').replace('batchs', 'batches')}; at most {duration(p.timeout_s)} a cell."
    )
