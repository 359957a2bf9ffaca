"""What stands below the overview of accuracy on the user's own data: what so many images tell, and each row beside fp32."""

from __future__ import annotations

from pathlib import Path

from inferometer import units
from inferometer.results.accuracy import Accuracy, name_of, what_so_many_tell
from inferometer.results.cells import Results
from inferometer.storage.run_directory import StoredRun
from inferometer.tables.note import Note

_RANGES = (
    "int8 learnt its ranges from generated inputs, which costs accuracy: give --calibration rows or photos like those of the data "
    "set, but not of it"
)


def accuracy_notes(results: Results) -> list[Note]:
    """Return a note for each data set, and one for each row at less than fp32; details say each row's counts."""
    found = {id(s.evaluated): s.evaluated for s in results.summaries if s.evaluated}
    rows = sorted(found.values(), key=lambda row: row.row)
    by_data: dict[tuple[str, int], list[Accuracy]] = {}
    for row in rows:
        data = row.evaluation.dataset
        by_data.setdefault((Path(data.path).name, data.rows), []).append(row)
    notes = [_of_data(name, count, several) for (name, count), several in by_data.items()]
    notes += [Note(f"accuracy of {row.row}: {words}") for row in rows if (words := row.words())]
    notes += [Note(_RANGES)] if any(map(_has_made_up_ranges, results.runs)) else []
    notes += [
        Note(f"{name} was evaluated besides, as what others are held against")
        for name in dict.fromkeys(
            name_of(r.reference.cell) for r in rows if r.reference and r.reference.beside
        )
    ]
    failed: dict[str, list[str]] = {}
    for summary in results.summaries:
        if summary.not_evaluated:
            names = failed.setdefault(summary.not_evaluated, [])
            names += [summary.row] if summary.row not in names else []
    return notes + [
        Note(f"accuracy not known of {units.listed(names)}: {why}") for why, names in failed.items()
    ]


def _has_made_up_ranges(run: StoredRun) -> bool:
    """Return whether a run quantised by rows that are nothing like its data set."""
    info = run.info
    given = info.request.get("model", {}).get("calibration") or not info.model.inputs_note.startswith(
        "inputs generated"
    )
    return bool(info.dataset and not given and any(cell.precision == "int8" for cell in info.cells))


def _of_data(name: str, count: int, rows: list[Accuracy]) -> Note:
    told = what_so_many_tell(count) if rows[0].top1 else f"{count:,} rows with values as answers"
    data = rows[0].evaluation.dataset
    judged = f"; judged is output {data.output} of the model's {data.outputs}" if data.outputs > 1 else ""
    return Note(f"accuracy on {name}: {told}{judged}", tuple(map(_detail, rows)))


def _detail(row: Accuracy) -> str:
    lost = row.evaluation.not_finite
    parts = [row.row]
    for title, found in (("top-1", row.top1), ("top-5", row.top5), ("same top class as fp32", row.agreement)):
        if found and found.low is not None and found.high is not None:
            span = f"{100 * found.low:.1f} to {100 * found.high:.1f} %"
            parts.append(f"{title} {found.source}: {100 * found.value:.1f} % ({span})")
    parts += [f"mean squared error {row.squared_error.value:.3g}"] if row.squared_error else []
    parts += [f"mean cosine {row.cosine.value:.4g}"] if row.cosine else []
    parts += [f"{units.counted(lost, 'row')} not finite"] if lost else []
    return "; ".join(parts)
