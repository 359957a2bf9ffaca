"""Energy, time and mean power of a command."""

from __future__ import annotations

import contextlib
import csv
import io
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

from inferometer.energy.integration.joules import Joules
from inferometer.energy.meters.found import Absence
from inferometer.energy.readings import MeteredDevice
from inferometer.energy.session import Session, open_session
from inferometer.errors import UsageError
from inferometer.escapes import text_cells
from inferometer.interruption import STOP_SIGNALS
from inferometer.units import duration, significant

COLUMNS = (
    "run", "status", "time_s", "device_name", "device_uid", "device_type", "meter", "source", "energy_j", "low_j",
    "high_j", "power_w", "unresolved", "reason",
)  # fmt: skip

INTERRUPTED = 128 + signal.SIGINT  # exit status, as a shell's
_CUT = (INTERRUPTED, *(128 + number for number in STOP_SIGNALS))


@dataclass(frozen=True)
class CommandRun:
    """One execution: exit status as a shell's, seconds, and joules by device uid."""

    status: int
    seconds: float
    joules: dict[str, Joules]


@dataclass(frozen=True)
class CommandRuns:
    """All executions of a command, and the devices metered."""

    runs: tuple[CommandRun, ...]
    devices: tuple[MeteredDevice, ...]
    reason: str = ""  # "no meter: ..."
    stopped_of: int | None = None  # runs asked for, where a signal ended them early
    stopped_as: int = INTERRUPTED  # exit status of the run that it cut short
    missing: tuple[Absence, ...] = ()  # devices that cannot be metered though others of their kind are
    caution: str = ""  # why the cards that were metered may not be the command's

    @property
    def status(self) -> int:
        """Return the first exit status that is not 0, else 0, or that of a run cut short (130 after Ctrl-C)."""
        kept = next((run.status for run in self.runs if run.status), 0)
        return kept or (self.stopped_as if self._cut else 0)

    @property
    def _cut(self) -> bool:
        """Return whether runs are missing."""
        return self.stopped_of is not None and len(self.runs) < self.stopped_of

    def lines(self) -> list[str]:
        """Return the result for people: a line for time, then one a device."""
        stopped = f"stopped after {len(self.runs)} of {self.stopped_of} runs" if self._cut else ""
        if not self.runs:
            return [f"{stopped}: nothing was measured"]
        seconds = [run.seconds for run in self.runs]
        spread = (
            f" (± {duration(statistics.stdev(seconds))}, {len(seconds)} runs)" if len(seconds) > 1 else ""
        )
        lines = [f"time    {duration(statistics.fmean(seconds))}{spread}"]
        lines += [self._device_line(device) for device in self.devices]
        lines += [f"energy  {self.reason}"] if not self.devices else []
        lines += [f"energy  not metered: {absence.line}" for absence in self.missing]
        return lines + ([stopped] if stopped else [])

    def to_csv(self) -> str:
        """Return a row a run and device, with the columns `COLUMNS`."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, run in enumerate(self.runs):
            for device in self.devices:
                j = run.joules[device.uid]
                power = None if j.energy_j is None else j.energy_j / run.seconds
                head = (number, run.status, run.seconds, device.name, device.uid, device.type, device.meter)
                figures = (j.source, j.energy_j, j.low_j, j.high_j, power, j.width, j.reason)
                writer.writerow(text_cells((*head, *figures)))
            for absence in self.missing:
                head = (number, run.status, run.seconds, "", absence.device, absence.type, absence.meter)
                writer.writerow(text_cells((*head, "none", *[None] * 5, absence.reason)))
            if not self.devices:
                blank = [None] * 4
                row = (number, run.status, run.seconds, *blank, "none", *blank, None, self.reason)
                writer.writerow(text_cells(row))
        return text.getvalue()

    def _device_line(self, device: MeteredDevice) -> str:
        parts = [run.joules[device.uid] for run in self.runs]
        head = f"energy  {device.name} ({device.type}, {device.meter}): "
        bad = next((j for j in parts if j.energy_j is None), None)
        if bad is not None:
            return head + f"{bad.source}, {_between(bad)}: {bad.reason}"
        told = next((f"; {j.reason}" for j in parts if j.reason), "")
        wide = next((f", unresolved {j.width}" for j in parts if j.width), "")
        known = [j.energy_j for j in parts if j.energy_j is not None]
        power = sum(known) / sum(run.seconds for run in self.runs)
        mean = statistics.fmean(known)
        if len(known) > 1:
            around = f"± {significant(statistics.stdev(known))} J between {len(known)} runs"
        else:
            around = _between(parts[0])
        return (
            head
            + f"{significant(mean, 4)} J ({around}), {significant(power, 4)} W, {parts[0].source}{wide}{told}"
        )


def measure(
    command: Sequence[str],
    *,
    repeat: int = 1,
    meters: Iterable[str] = (),
    powercap: str | None = None,
    session: Session | None = None,
) -> CommandRuns:
    """Run a command ``repeat`` times and return what it cost; UsageError if it cannot be started.

    Ctrl-C, which reaches the command itself, and SIGTERM and SIGHUP, which are passed on, end the repetitions. Unless it
    is the only one, the run that was cut short is left out: the means are of whole runs.
    """
    with session or open_session(meters=meters, powercap=powercap) as opened:
        opened.await_reports()
        devices = tuple(meter.device for meter in opened.meters)
        runs: list[CommandRun] = []
        interrupted, cut_as = False, INTERRUPTED
        while len(runs) < repeat and not interrupted:
            run, interrupted = _run(command, opened)
            if repeat > 1 and interrupted and run.status in _CUT:
                cut_as = run.status
            else:
                runs.append(run)
        stopped_of = repeat if interrupted else None
        missing, caution = opened.missing, opened.order_caution
        return CommandRuns(tuple(runs), devices, opened.reason, stopped_of, cut_as, missing, caution)


def _run(command: Sequence[str], session: Session) -> tuple[CommandRun, bool]:
    """Run the command once; also return whether Ctrl-C was pressed meanwhile."""
    session.sampler.read_fast()
    start_ns = time.monotonic_ns()
    status, interrupted = _execute(command)
    end_ns = time.monotonic_ns()
    session.sampler.read_fast()
    return CommandRun(status, (end_ns - start_ns) / 1e9, session.span(start_ns, end_ns)), interrupted


def _execute(command: Sequence[str]) -> tuple[int, bool]:
    """Run the command in the foreground; return its status as a shell would (128 + n after signal n), and if it was ended.

    The terminal interrupts the child itself, so Ctrl-C is only noted here; SIGTERM and SIGHUP are passed on to it.
    """
    heard: list[int] = []
    with contextlib.ExitStack() as handled:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # else the child is to ignore it too
            handled.enter_context(_handling(signal.SIGINT, lambda number, frame: heard.append(number)))
        try:
            child = subprocess.Popen(command)
        except OSError as error:
            raise UsageError(f"cannot run '{command[0]}': {error.strerror}") from error

        def pass_on(number: int, frame: FrameType | None) -> None:
            heard.append(number)
            child.send_signal(number)

        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                handled.enter_context(_handling(number, pass_on))
        status = child.wait()
    return 128 - status if status < 0 else status, bool(heard) or status == -signal.SIGINT


@contextlib.contextmanager
def _handling(number: int, handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _between(joules: Joules) -> str:
    low = significant(joules.low_j or 0.0, 4)
    return f"at least {low} J" if joules.high_j is None else f"{low} to {significant(joules.high_j, 4)} J"
