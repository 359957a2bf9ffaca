"""What one provoked fault did: what must never happen, counted, and what else was not as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from world import CELLS

from inferometer.errors import InferometerError
from inferometer.records import Record
from inferometer.storage.run_directory import StoredRun, read_run
from processes import Ended

NEVER = ("lost", "hangs", "orphans", "tracebacks")
_TRACEBACK = "Traceback (most recent call last)"
_OURS = "/inferometer/"  # a signal before Python has begun with us is Python's to tell


@dataclass
class Trial:
    """One fault; ``became``: in a few words, what came of it."""

    kind: str
    seed: int
    lost: int = 0  # records that were there before the fault, or cells that resuming did not measure
    hangs: int = 0
    orphans: int = 0
    tracebacks: int = 0
    wrong: list[str] = field(default_factory=list)
    became: str = ""
    seconds: float = 0.0

    @property
    def is_fine(self) -> bool:
        return not self.wrong and not any(getattr(self, name) for name in NEVER)

    def ended(self, done: Ended, *, statuses: Iterable[int] = ()) -> Ended:
        """Count what a command did; ``statuses``: those that it may have (none: any)."""
        self.hangs += done.hung
        self.orphans += len(done.orphans)
        printed = done.out + done.err
        traced = _TRACEBACK in printed and _OURS in printed[printed.index(_TRACEBACK) :]
        self.tracebacks += traced
        if done.hung or done.orphans or traced:
            self.wrong.append(f"{done.words}: {done.orphans} {printed[-1500:]}")
        allowed = tuple(statuses)
        if allowed and not done.hung:
            self.expect(
                done.status in allowed, f"{done.words}: status {done.status}: {done.err.strip()[-300:]}"
            )
        return done

    def expect(self, condition: object, otherwise: str) -> None:
        if not condition:
            self.wrong.append(otherwise)

    def one_line(self, done: Ended) -> None:
        """Expect a refusal: not status 0, and a last line that is ours."""
        lines = done.err.strip().splitlines()
        self.expect(done.status not in (0, None), f"{done.words}: status {done.status}")
        self.expect(
            lines and lines[-1].startswith("inferometer: "),
            f"{done.words}: no line: {done.err.strip()[-300:]}",
        )

    def kept(self, before: Iterable[Record], path: Path, *, whole: bool = True) -> StoredRun | None:
        """Read a run; count the records of ``before`` that are gone, and the cells without one if it should be whole."""
        try:
            run = read_run(path)
        except InferometerError as error:
            self.lost += len(list(before)) or 1
            self.wrong.append(f"cannot be read: {error}")
            return None
        known = set(map(mark, run.records))
        self.lost += sum(mark(record) not in known for record in before)
        if whole:
            self.lost += len(run.missing)
        return run


def mark(record: Record) -> tuple[object, ...]:
    """Return what tells a record from all others."""
    return record.cell, record.round, record.status, record.started_at


def records_in(path: Path) -> tuple[Record, ...]:
    """Return the records of a run directory; none where there is no run yet."""
    return tuple(read_run(path).records) if (path / "run.json").exists() else ()


def measured(records: Iterable[Record]) -> str:
    """Return how many cells of a run (of `world.SHORT`) have a figure, in words."""
    count = len({(record.cell, record.round) for record in records if record.status == "ok"})
    return f"{count} of {CELLS} cells"
