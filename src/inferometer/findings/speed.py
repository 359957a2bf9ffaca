"""Findings about throughput: who is fastest at each batch size, and from which size on a larger one stops paying."""

from __future__ import annotations

from collections import defaultdict

from inferometer import units
from inferometer.findings.finding import Finding, at_sizes, by_size, margin, percent, scopes, where
from inferometer.results.cells import Results
from inferometer.results.metrics import METRICS
from inferometer.results.ranking import rank_cells

_NEAR_BEST = 0.95  # a batch size that reaches this share of the best throughput is large enough


def winners(results: Results) -> list[Finding]:
    """Say who is fastest at each batch size, by how much, and where that is a tie."""
    places = rank_cells(results.summaries, METRICS["throughput"])
    found = []
    for scope, summaries in scopes(results).items():
        clear: dict[str, list[tuple[int, float, str]]] = defaultdict(list)
        unjudged: dict[str, list[tuple[int, float, str]]] = defaultdict(list)
        tied: list[str] = []
        for size, ranked in by_size(summaries, places).items():
            if len(ranked) < 2:
                continue
            lead = margin(places[ranked[0].key].value, places[ranked[1].key].value)
            if places[ranked[0].key].tie:
                rows = [ranked[0].row, *(s.row for s in ranked[1:] if places[s.key].tie)]
                tied.append(f"{size} ({units.listed(rows)})")
            else:
                of_row = clear if places[ranked[0].key].judged else unjudged
                of_row[ranked[0].row].append((size, lead, ranked[1].row))
        parts = [_won(row, wins) for row, wins in clear.items()]
        if tied:
            parts.append(f"no single winner at {at_sizes(tied)}")
        if unjudged:
            leaders = "; ".join(_won(row, wins, "has the highest figure") for row, wins in unjudged.items())
            parts.append(f"not judged, for lack of a second process: {leaders}")
        if parts:
            found.append(Finding("winner", f"On {where(results, scope)} {'; '.join(parts)}.", *scope))
    return found


def _won(row: str, wins: list[tuple[int, float, str]], verb: str = "is fastest") -> str:
    sizes = at_sizes([str(size) for size, _, _ in wins])
    least, most = min(wins, key=lambda w: w[1]), max(wins, key=lambda w: w[1])
    if len(wins) == 1:
        return f"{row} {verb} at {sizes}, {percent(least[1])} ahead of {least[2]}"
    return (
        f"{row} {verb} at {sizes}, {percent(least[1])} (over {least[2]} at {least[0]}) "
        f"to {percent(most[1])} (over {most[2]} at {most[0]}) ahead"
    )


def batch_sizes(results: Results) -> list[Finding]:
    """Say from which batch size on a larger one gains no more than 5 %, and where it loses."""
    found = []
    for scope, summaries in scopes(results).items():
        rows: dict[str, dict[int, float]] = defaultdict(dict)
        for s in summaries:
            if s.ranked and s.throughput:
                rows[s.row][s.cell.batch_size] = s.throughput.value
        rows = {row: values for row, values in rows.items() if len(values) > 2}
        if not rows:
            continue
        enough = {
            row: min(b for b, v in values.items() if v >= _NEAR_BEST * max(values.values()))
            for row, values in rows.items()
        }
        text = (
            f"On {where(results, scope)} {100 * _NEAR_BEST:.0f} % of a framework's best throughput is reached at batch size "
            + ", ".join(
                f"{size} ({units.listed([r for r in enough if enough[r] == size])})"
                for size in sorted(set(enough.values()))
            )
        )
        falls = [f for row, values in rows.items() if (f := _fall(row, values))]
        text += f"; larger batches lose with {units.listed(falls)}." if falls else "."
        found.append(Finding("batch-size", text, *scope))
    return found


def _fall(row: str, values: dict[int, float]) -> str:
    """Return how a row falls from its best to its largest batch size, if by more than 5 %."""
    best = max(values, key=values.__getitem__)
    last = max(values)
    fall = 1 - values[last] / values[best]
    return (
        f"{row} (-{100 * fall:.0f} % from {best} to {last})" if best != last and fall > 1 - _NEAR_BEST else ""
    )
