"""How a report's numbers came about, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from inferometer.records import RunInfo
from inferometer.report.page.sections import Content
from inferometer.units import counted, duration

ORDER, TITLE = 60, "Method"


def build(content: Content) -> tuple[str, ...]:
    """Return how the numbers came about, in sentences."""
    return method([run.info for run in content.results.runs])


def method(infos: Sequence[RunInfo]) -> tuple[str, ...]:
    """Return how the numbers came about, in sentences."""
    sentences = [*dict.fromkeys(_protocol(info) for info in infos)]
    if any(info.source == "measured" for info in infos):
        sentences.append(
            "Every round is a fresh worker process with the framework in an environment of its own; rounds are "
            "interleaved across frameworks. Loading, compiling and the first run are recorded apart and never timed "
            "as inference."
        )
    sentences += [
        "Throughput is all images of a round over all its time, latency per image its inverse; every figure is the "
        "geometric mean of the rounds. Intervals are 95 % t intervals of the rounds' logarithms, so they hold the "
        "variation between processes. Where there was but one process the interval is of its loops: another process may "
        "differ by more, so what one process measured once has no verdict.",
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
    added = p.rounds - info.first_rounds
    rounds = counted(p.rounds, "round") + (
        f" ({added} of them asked for by the noise of the first)" if added else ""
    )
    return (
        f"{info.model.name}: {rounds} of {counted(p.loops, 'loop')} over {p.images} images after "
        f"{counted(p.warmup, 'warm-up batch')}; at most {duration(p.timeout_s)} a cell."
    )
