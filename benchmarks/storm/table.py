"""What became of the faults, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from trial import NEVER, Trial

_ABOUT = """# The fault storm

{count} faults, provoked by `python benchmarks/storm --seed {seed}` on {machine}, {when}: real runs of a small model on ONNX Runtime (four
cells), with something done to them. After each fault the run is resumed, or the files repaired, and read again. Lost are records that were there before the
fault and are not there after, and cells that resuming did not measure; a hang is a command that takes over 90 s; an orphan is a process that outlives its command by over
10 s; a traceback is one in what the command prints.

"""


def markdown(trials: Sequence[Trial], seed: int) -> str:
    """Return the page of results."""
    from inferometer.host.gpus import find_gpus
    from inferometer.host.machine import describe_machine

    machine = describe_machine(find_gpus()[0])
    where = f"{machine.cpu}, {machine.usable_cores} cores, Linux {machine.kernel}, Python {machine.python}"
    about = _ABOUT.format(
        count=len(trials), seed=seed, machine=where, when=datetime.now(UTC).strftime("%d %B %Y")
    )
    return about + "\n".join(_rows(trials)) + "\n"


def printed(trials: Sequence[Trial], seed: int, seconds: float) -> str:
    """Return the table for the terminal."""
    return "\n".join([f"seed {seed}, {len(trials)} faults in {seconds:.0f} s", *_rows(trials)])


def _rows(trials: Sequence[Trial]) -> list[str]:
    head = ["fault", "provoked", *NEVER, "otherwise wrong", "what became of them"]
    kinds = {
        name: [trial for trial in trials if trial.kind == name]
        for name in dict.fromkeys(trial.kind for trial in trials)
    }
    rows = [_row(name, found, _became(found)) for name, found in kinds.items()]
    rows.append(_row("all", trials, ""))
    return [
        "| " + " | ".join(row) + " |" for row in (head, ["---", *["--:"] * (len(NEVER) + 2), "---"], *rows)
    ]


def _row(name: str, trials: Sequence[Trial], became: str) -> list[str]:
    counts = [sum(getattr(trial, never) for trial in trials) for never in NEVER]
    others = sum(bool(trial.wrong) and not any(getattr(trial, never) for never in NEVER) for trial in trials)
    return [name, *map(str, (len(trials), *counts, others)), became]


def _became(trials: Iterable[Trial]) -> str:
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.became] = counts.get(trial.became, 0) + 1
    most = sorted(counts.items(), key=lambda item: -item[1])
    shown = [f"{text} ({count})" if count > 1 else text for text, count in most[:4] if text]
    return "; ".join(shown) + ("; ..." if len(most) > 4 else "")
