"""The first sentence of each machine: what to use, its figures, what may be as good, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.recommendation import wording
from inferometer.recommendation.decision import Decision, Grade
from inferometer.recommendation.render import figures
from inferometer.units import listed


@dataclass(frozen=True)
class Answer:
    """One sentence in its parts; the page's script writes the same ones when a limit moves."""

    group: int  # its place among `recommendation.portable`'s groups
    machine: str
    head: str  # "use onnxrt at batch size 128"
    figures: str
    ties: str  # what may be as good
    grade: Grade
    chip: str  # the grade, and how far the measurements are


def answer(group: int, decision: Decision, measured: Sequence[int]) -> Answer:
    """Return the answer of a decision without limits; ``measured``: how much of how much, where some is missing."""
    names = wording.tied_names(decision)
    return Answer(
        group,
        decision.machine,
        wording.headline(decision),
        figures(replace(decision.choice, cost=None)) if decision.choice else decision.nearest,
        f"May be as good: {listed(names)}." if names else "",
        decision.grade,
        f"preliminary, {measured[0]} of {measured[1]}" if decision.grade == "preliminary" else decision.grade,
    )
