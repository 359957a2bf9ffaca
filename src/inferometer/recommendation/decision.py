"""What was decided for one machine, model and mode: the choice, how it came about, and how far to trust it (data only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from inferometer.recommendation.objectives import USUAL_PRICES, Objective, Prices
from inferometer.recommendation.options import Option
from inferometer.results.judging import Judgement, Lead

Grade = Literal["none", "preliminary", "weak", "tie", "firm"]
GRADES: tuple[Grade, ...] = get_args(Grade)  # the least sure first

Criterion = Literal["interval", "energy", "latency", "memory", "name"]


@dataclass(frozen=True)
class Step:
    """A criterion by which a chooser went on, and how many cells it left."""

    by: Criterion
    left: int


@dataclass(frozen=True)
class Reason:
    """Why a decision has no better grade, and what would firm it up; each a sentence without its full stop."""

    grade: Grade
    words: str
    remedy: str


@dataclass(frozen=True)
class Decision:
    """The choice for one machine, model and mode."""

    machine: str
    model: str
    mode: str
    objective: Objective
    choice: Option | None  # None: nothing meets the constraints
    leader: (
        Option | None
    )  # the best figure of the objective; the choice is one that the data cannot tell from it
    ties: tuple[Option, ...]  # the other cells that the data cannot tell from the leader, the best first
    steps: tuple[Step, ...]  # how the choice was made among them
    runner_up: Option | None  # the first of the ties of another framework or precision, else the best of one
    lead: Lead | None  # of the leader; None: no other framework or precision meets the constraints
    changes: tuple[Judgement, ...]  # what the runner-up in place of the choice would change, by metric
    grade: Grade
    reasons: tuple[Reason, ...]  # the gravest first; none for a firm one
    front: tuple[Option, ...]  # nothing else has better figures of throughput, latency and energy at once
    refused: tuple[tuple[str, int], ...]  # why cells were left out, and how many
    nearest: str  # where there is no choice: what came closest
    doubts: tuple[str, ...] = ()  # what a figure of the choice rests on that may not hold
    prices: Prices = USUAL_PRICES  # that its cost is made of
    limited: bool = False  # cells were left out since they break a limit
    unknown: int = 0  # cells that break none were left out since they have no figure of the objective

    @property
    def alone(self) -> bool:
        """Return whether the choice was the only one that meets the limits."""
        return self.limited and not self.unknown and self.lead is None and not self.ties

    @property
    def tie(self) -> bool:
        """Return whether the data cannot tell some other cell from the choice."""
        return bool(self.ties)
