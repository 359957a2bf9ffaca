"""A decision in words: the one place, for the page, Markdown, the workbook, the terminal and Python alike."""

from __future__ import annotations

from inferometer.recommendation.decision import Decision, Grade
from inferometer.recommendation.grading import grouped_names
from inferometer.recommendation.objectives import OBJECTIVES, Objective
from inferometer.results.judging import Judgement, Lead
from inferometer.results.metrics import ENERGY, Metric
from inferometer.units import counted, duration, listed, significant

_BEST: dict[Objective, str] = {
    "throughput": "the highest throughput",
    "latency": "the shortest batch latency",
    "energy": "the least energy an image",
    "cost": "the least cost",
    "carbon": "the least carbon",
}
_STEPS = {
    "interval": "known to better than ±50 %",
    "energy": "least energy an image",
    "latency": "shortest mean batch latency",
    "memory": "least memory",
    "name": "first by name, since nothing else tells them apart",
}
GRADE_MEANINGS = {
    "firm": "every planned measurement is there, and the data tell the choice from all others",
    "tie": "other cells may be as good",
    "weak": "it rests on less than it should",
    "preliminary": "planned measurements are missing",
    "none": "the data do not carry a choice",
}


def headline(decision: Decision) -> str:
    """Return the choice in a word or two: a choice that the data do not carry is no advice to use it."""
    if decision.choice is None:
        return "no choice"
    if decision.grade == "none":
        return f"no verdict; the best figure is of {decision.choice.name}"
    so_far = "so far " if decision.grade == "preliminary" else ""
    return f"{so_far}use {decision.choice.name}"


def why(decision: Decision) -> str:
    """Return how the choice came about: among which cells, and by what."""
    if decision.choice is None:
        return ""
    best = _BEST[decision.objective]
    among = _among(decision)
    if not decision.ties:
        judged = decision.grade in ("firm", "tie") and decision.lead
        if judged:
            others = "all others within the limits" if decision.limited else "all others"
            return f"It has {best}, and the data tell {others} apart from it."
        return f"It has {best} {among}."
    count = counted(len(decision.ties) + 1, "cell")
    if decision.grade == "none":
        return f"It has {best} {among}; {count} in all cannot be told apart."
    steps = [f"{_STEPS[step.by]}{f' (of {step.left})' if step.left > 1 else ''}" for step in decision.steps]
    within = " within the limits" if decision.limited else ""
    return f"Of the {count}{within} that cannot be told from {best}: {', then '.join(steps)}."


def _among(decision: Decision) -> str:
    known = " that have such a figure" if decision.unknown else ""
    if decision.limited:
        return f"of those within the limits{known}"
    return f"of those{known}" if known else "of what was measured"


def tied_names(decision: Decision) -> list[str]:
    """Return the cells that the data cannot tell from the choice, those of one framework and precision together."""
    return grouped_names(option.summary for option in decision.ties)


def grade_sentence(decision: Decision) -> str:
    """Return the grade and the reasons for it."""
    reasons = [reason.words for reason in decision.reasons]
    return f"{decision.grade}: {'; '.join(reasons) if reasons else _meaning(decision)}"


def _meaning(decision: Decision) -> str:
    """Return what a grade without reasons means here: others that break a limit were never told from the choice."""
    if decision.grade != "firm" or not decision.limited:
        return GRADE_MEANINGS[decision.grade]
    told = (
        "it alone is within the limits"
        if decision.alone
        else "the data tell it from all others within the limits"
    )
    return f"every planned measurement is there, and {told}"


def remedies(decision: Decision) -> tuple[str, ...]:
    """Return what would firm the verdict up, the gravest lack first."""
    return tuple(dict.fromkeys(reason.remedy for reason in decision.reasons))


def standing(lead: Lead | None, metric: Metric, grade: Grade) -> str:
    """Return how the best cell stands among the other frameworks: its lead only where the data carry one."""
    if lead is None:
        return "No other framework or precision has such a figure here."
    if grade == "preliminary":
        return "No lead is claimed while planned measurements are missing."
    if grade == "none":
        return "No lead is claimed, since the data do not carry a verdict."
    if lead.ties:
        return _tie(lead)
    rival, judgement = lead.rival.name, lead.judgement
    if not judgement.told:
        figure = metric.of(lead.rival)
        scale = metric.scale_for([figure.value]) if figure else None
        value = f", {scale.show(figure.value)} {scale.unit}" if figure and scale else ""
        return f"Not judged against the next, {rival}{value}: neither has a second process."
    ours, theirs = metric.of(lead.best), metric.of(lead.rival)
    assert ours and theirs
    return f"{margin(ours.value, theirs.value, metric)} than the next, {rival}."


def _tie(lead: Lead) -> str:
    names = listed(grouped_names(lead.ties))
    if lead.judgement.standing == "unclear":
        return (
            f"Unclear against {names}: of so many pairs one may differ as much by chance; more rounds tell."
        )
    return f"A tie with {names}: the data do not tell them apart."


def margin(ours: float, theirs: float, metric: Metric) -> str:
    """Return by how much the better of two is ahead: "12 % faster", "2.6 times faster", "8.1 % less energy"."""
    ratio = ours / theirs
    if not metric.higher_is_better:
        return f"{significant(100 * (1 - ratio), 2)} % {metric.words.better}"
    amount = f"{significant(ratio, 2)} times" if ratio >= 2 else f"{significant(100 * (ratio - 1), 2)} %"
    return f"{amount} {metric.words.better}"


_CHANGES = {
    "throughput": ("throughput", "throughput"),
    "latency": ("batch latency", "latency"),
    "energy": ("energy an image", "energy"),
    "cost": ("cost", "cost"),
    "carbon": ("carbon", "carbon"),
}


def runner_up(decision: Decision) -> str:
    """Return what taking the runner-up would change, as far as the data tell; "" where there is none."""
    choice, other = decision.choice, decision.runner_up
    if choice is None or other is None:
        return ""
    figure = other.figure(decision.objective)
    name = other.name if figure is None else f"{other.name} ({shown(figure, decision.objective)})"
    if decision.grade in ("none", "preliminary"):  # what is missing may change it all
        return name
    told, open_ = [], []
    for change in decision.changes:
        objective = _objective_of(change)
        first, second = choice.figure(objective), other.figure(objective)
        if first is None or second is None:
            continue
        if change.told:
            told.append(f"{100 * (second / first - 1):+.1f} % {_CHANGES[objective][0]}")
        else:
            open_.append((_CHANGES[objective][1], change.standing))
    for standing_, text in (
        ("tie", "no difference told in"),
        ("unclear", "unclear"),
        ("not judged", "not judged"),
    ):
        names = [figure_name for figure_name, found in open_ if found == standing_]
        told += [f"{text}{' ' if standing_ == 'tie' else ': '}{listed(names)}"] if names else []
    return f"{name}: {', '.join(told)}" if told else name


def shown(figure: float, objective: Objective) -> str:
    """Return an objective's figure with its unit."""
    if objective == "throughput":
        return f"{significant(figure, 4)} images/s"
    if objective == "latency":
        return f"{duration(figure)} a batch"
    if objective == "energy":
        return f"{ENERGY.show(figure)} {ENERGY.per}"
    return f"{significant(figure)} {'g CO2e ' if objective == 'carbon' else ''}a million"


def _objective_of(change: Judgement) -> Objective:
    own: dict[str, Objective] = {objective: objective for objective in OBJECTIVES}
    return own.get(change.metric, "latency")  # whose metric is called by its figure, p99
