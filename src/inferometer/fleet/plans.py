"""What would be measured on each kind of node, and why the rest cannot be. It looks at the model's files, here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from inferometer.errors import UsageError
from inferometer.fleet.nodes import Node, View
from inferometer.host.gpus import Lack
from inferometer.models.sources import resolve
from inferometer.planning.cpu_shares import with_threads
from inferometer.planning.plan import Plan, choices_of, make_plan
from inferometer.planning.request import RunRequest
from inferometer.planning.situation import look_up


@dataclass(frozen=True)
class ViewPlan:
    """The plan of the nodes of one view."""

    plan: Plan | None  # None: nothing can be measured
    refusal: str = ""  # why not

    @property
    def forms(self) -> set[str]:
        """Return the forms of the model that its cells take."""
        return set(self.plan.forms.values()) if self.plan else set()


def check(request: RunRequest) -> None:
    """Raise UsageError for what no node can be asked: an unknown framework, a file that is not there."""
    request.check()
    choices_of(request)
    resolve(request.model)
    if request.data:
        request.data.words()


def plan_views(request: RunRequest, nodes: Iterable[Node]) -> dict[View, ViewPlan]:
    """Return the plan for each view among the nodes; one that can measure nothing says why."""
    plans: dict[View, ViewPlan] = {}
    for node in nodes:
        if node.view not in plans:
            plans[node.view] = _plan(request, node)
    return plans


def _plan(request: RunRequest, node: Node) -> ViewPlan:
    machine, lack = node.machine, node.lack
    if machine.gpus and not node.gpus:
        machine, lack = replace(machine, gpus=()), Lack("Ray may give no GPU of it (--num-gpus 0)")
    try:
        plan = make_plan(request, look_up(request, machine, lack, node.visible))
        with_threads(request, plan, machine, machine.usable_cores, cpus=machine.logical_cores)
    except UsageError as error:
        return ViewPlan(None, str(error))
    if plan.cells:
        return ViewPlan(plan)
    reasons = "; ".join(dict.fromkeys(skip.reason for skip in plan.skips))
    return ViewPlan(None, f"nothing can be measured: {reasons}")
