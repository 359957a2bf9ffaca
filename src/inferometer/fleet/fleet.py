"""One run over the nodes of a cluster: who measures, what travels, what comes back, and what is done about what fails."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError, StoreError, UsageError
from inferometer.fleet.cluster import Cluster
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.goods import Good, given_good, model_good
from inferometer.fleet.measurement import Job, Measurement, Watcher
from inferometer.fleet.nodes import Kind, Node, Selection, View, gone_on_with, slugs, wanted
from inferometer.fleet.plans import ViewPlan, plan_views
from inferometer.fleet.remote import UnreachedError
from inferometer.planning.given_files import given_files
from inferometer.planning.request import RunRequest
from inferometer.running.converted import convert
from inferometer.units import counted

_SHOW_S = 1.0
_LOOK_EVERY_S = 5.0  # for nodes that come late
_OVER = ("failed", "lost")
_REPLACED = 2  # nodes of a kind that fail, for which others measure
_AT_ONCE = 256  # nodes that measure at the same time


@dataclass
class Fleet:
    """A run over a cluster."""

    cluster: Cluster
    request: RunRequest
    selection: Selection
    folder: FleetFolder
    facts: dict[str, Any]  # fleet.json
    watcher: Watcher
    plans: dict[View, ViewPlan] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    _finished: dict[str, str] = field(default_factory=dict)  # part of an earlier session -> its kind's title
    _goods: dict[Path | str, Good] = field(default_factory=dict)
    _machines: dict[str, threading.Lock] = field(
        default_factory=dict
    )  # boot id -> held by who measures there
    _held: dict[str, str] = field(
        default_factory=dict
    )  # Ray's id of a node -> the part that its machine keeps
    _known: set[str] = field(default_factory=set)  # Ray's ids of nodes that were asked
    _unreached: bool = False  # the cluster did not answer when nodes were looked for last
    _nodes: list[Node] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _packed: threading.Event = field(default_factory=threading.Event)  # what is to travel is known

    def run(self) -> None:
        """Measure on every node that is wanted, late ones included; the folder has what comes back, also what a Ctrl-C leaves."""
        self.cluster.greet(self.cluster.seen(), self.facts["name"])
        self._look_at_files()  # while they start
        self._meet()
        if not self._next():
            if self._is_whole():
                self.watcher.say("nothing is missing: what was asked of each kind has been measured")
                return
            raise UsageError(f"no node of the cluster can measure this: {self._reasons()}")
        self.folder.write(self.facts)
        self.folder.unmerge()  # an earlier session's, which would hide what comes now
        self.watcher.say(
            f"fleet {self.facts['name']}: {counted(len(self._nodes), 'node')} of {counted(len(self._kinds()), 'kind')}"
        )
        self._measure_all()

    def _measure_all(self) -> None:
        """Measure until no node is left to begin on; a first Ctrl-C lets all end what they are at, a second waits for nobody."""
        threads = ThreadPoolExecutor(_AT_ONCE)
        try:
            begun = self._begin(threads)
            self._convert()  # meanwhile
            self._supervise(threads, begun)
            threads.shutdown()
        except BaseException as error:
            self._stopping.set()
            if isinstance(error, KeyboardInterrupt):
                self.watcher.say(f"interrupted: waiting for the nodes to end what they are at{self._busy()}")
            threads.shutdown()
            raise
        finally:
            self._keep_ends()

    def _is_whole(self) -> bool:
        """Return whether all that was begun earlier is done, or as much as was asked of its kind."""
        return bool(self._finished) and not self.missing

    @property
    def missing(self) -> list[str]:
        """Return the parts of the run that are not done, and for which not enough equal nodes are."""
        kinds = {slug: told["kind"] for slug, told in self.facts["nodes"].items()}
        here = {job.slug: kinds[job.slug] for job in self.jobs if job.state == "done"}
        done = {**self._finished, **here}
        return [slug for slug, kind in kinds.items() if slug not in done and not self._enough(kind, done)]

    def _enough(self, kind: str, done: Mapping[str, str]) -> bool:
        """Return whether a kind, by its title, was finished by as many nodes as are asked for; ``done``: kinds of finished parts."""
        each = self.selection.each
        return each is not None and Counter(done.values())[kind] >= each

    def _busy(self) -> str:
        names = [job.slug for job in self.jobs if job.state in ("sending", "measuring")]
        return f": {', '.join(names)}" if names else ""

    def _keep_ends(self) -> None:
        """Write which nodes are done into fleet.json, where it does not say so."""
        parts = self.facts["nodes"]
        new = [job for job in self.jobs if job.state == "done" and parts[job.slug].get("state") != "done"]
        for job in new:
            parts[job.slug]["state"] = "done"
        if new:
            self.folder.write(self.facts)

    def _begin(self, threads: ThreadPoolExecutor) -> list[Future[None]]:
        """Begin on the nodes that are to measure now, and let the others go, which may stay idle."""
        begun = [threads.submit(self._measure, self._add(node)) for node in self._next()]
        self.cluster.let_go()
        return begun

    def _supervise(self, threads: ThreadPoolExecutor, futures: list[Future[None]]) -> None:
        looked = time.monotonic()
        while True:
            ended = all(future.done() for future in futures)  # asked first: one that is lost now is replaced
            begun = self._begin(threads)
            futures += begun
            self.watcher.update(self.jobs)
            self._keep_ends()
            if ended and not begun:
                break
            wait(
                [future for future in futures if not future.done()],
                timeout=_SHOW_S,
                return_when=FIRST_COMPLETED,
            )
            if time.monotonic() - looked > _LOOK_EVERY_S:
                self._look_again()
                looked = time.monotonic()
        for future in futures:
            future.result()  # what was none of ours to expect

    def _look_again(self) -> None:
        """Look for nodes that came late; where the cluster does not answer, the jobs tell in the end whether it is gone."""
        try:
            self._meet()
        except UnreachedError as error:
            if not self._unreached:
                self.watcher.say(f"{error}; it is asked again, and what is measured goes on")
            self._unreached = True
            return
        if self._unreached:
            self.watcher.say("the cluster answers again")
        self._unreached = False

    def _meet(self) -> None:
        """Ask the nodes that are new what they are, and plan for their kinds."""
        new = [one for one in self.cluster.seen() if one.id not in self._known]
        nodes = self.cluster.ask(new, self.facts["name"], self.watcher.say)
        self._known |= {one.id for one in new}
        for node in nodes:
            if node.refusal:
                self.watcher.say(f"node {node.name} is left out: {node.refusal}")
        sound = [node for node in nodes if not node.refusal]
        if less := [node for node in sound if node.gives_way]:
            self.watcher.say(
                f"what measures gives way to other processes on {', '.join(node.name for node in less)}: Ray gives it a niceness of "
                f"{less[0].gives_way}; start Ray there with RAY_worker_niceness=0"
            )
        if self._nodes and sound:
            self.watcher.say(f"came late: {', '.join(node.name for node in sound)}")
        # what those left that are over, others may go on with
        going = {*self._held.values(), *(job.slug for job in self.jobs if job.state not in _OVER)}
        self._held |= gone_on_with(sound, going)
        self._nodes += sound
        fresh = plan_views(self.request, [node for node in sound if node.view not in self.plans])
        self.plans |= fresh
        for view, planned in fresh.items():
            if planned.refusal:
                self.watcher.say(f"{view.kind.title}: {planned.refusal}")

    def _next(self) -> list[Node]:
        """Return the nodes to begin on: those that hold a part of this run, and others of kinds that have too few."""
        able = [node for node in self._nodes if self.plans[node.view].plan]
        taken = self._taken()
        used = [job.node.id for job in self.jobs]
        holding = [node for node in able if node.id not in used and self._goes_on(node)]
        taken.update(node.kind for node in holding)
        others = wanted(able, self.selection, taken, [*used, *(node.id for node in holding)])
        return [*holding, *others] if not self._stopping.is_set() else []

    def _goes_on(self, node: Node) -> bool:
        """Return whether a node holds a part that is wanted: not one left unfinished where another of its kind has finished."""
        part = self._held.get(node.id)
        return part is not None and (
            part in self._finished or not self._enough(node.kind.title, self._finished)
        )

    def _taken(self) -> Counter[Kind]:
        """Return how many nodes of each kind have measured or are at it, also those that finished earlier and are gone.

        A node that is lost counts for nothing, and so do the first that fail: what fails on three of a kind fails on all, and
        what cannot be written here is no better from another node.
        """
        taken = Counter(job.node.kind for job in self.jobs if job.state not in _OVER or job.unkept)
        failed = Counter(job.node.kind for job in self.jobs if job.state == "failed" and not job.unkept)
        taken.update({kind: max(count - _REPLACED, 0) for kind, count in failed.items()})
        over = {job.slug for job in self.jobs if job.state in _OVER}
        here = {*self._held.values(), *(job.slug for job in self.jobs)} - over
        kinds = {kind.title: kind for kind in self._kinds()}
        gone = [title for slug, title in self._finished.items() if slug not in here]
        taken.update(kinds[title] for title in gone if title in kinds)
        return taken

    def _add(self, node: Node) -> Job:
        """Return a new job, whose folder is the node's of an earlier part where it had one."""
        known = self._held.get(node.id)
        slug = known or slugs([node.name], [job.slug for job in self.jobs] + self.folder.slugs())[0]
        self.jobs.append(Job(node, slug))
        self.facts["nodes"].setdefault(slug, {}).update(node.facts)
        self.folder.write(self.facts)
        return self.jobs[-1]

    def _kinds(self) -> set[Kind]:
        return {view.kind for view in self.plans}

    def _reasons(self) -> str:
        told = [plan.refusal for plan in self.plans.values() if plan.refusal]
        return "; ".join(dict.fromkeys(told)) or (
            "none is of a kind that --nodes asks for" if self._nodes else "no node answers that may"
        )

    def _look_at_files(self) -> None:
        """Know the user's files by their content; StoreError where one is not what it was when the run began."""
        for path in given_files(self.request):
            self._goods[path] = given_good(path)
        files = {str(path): [good.key, good.path.name] for path, good in self._goods.items()}
        for path, told in self.facts.get("files", files).items():
            if path in files and files[path][0] != told[0]:
                raise StoreError(f"{path} was changed after the run began; put it back, or start a new run")
        self.facts["files"] = files

    def _convert(self) -> None:
        """Convert the model here, for every kind's forms at once, before anything is sent."""
        forms = set().union(*(plan.forms for plan in self.plans.values()))
        try:
            for entry in convert(self.request, forms, {}, self.watcher.say).entries:
                self._goods[entry.name] = model_good(entry)
        except InferometerError as error:
            self.watcher.say(f"the model is converted on each node, since it cannot be here: {error}")
        self._packed.set()

    def _measure(self, job: Job) -> None:
        """Measure on one node; two of one machine take turns, since they would disturb each other."""
        machine = self._machines.setdefault(job.node.boot or job.node.id, threading.Lock())
        with self.cluster.gate.used():  # until all that the measurement has of Ray is gone
            Measurement(self.cluster, job, self.watcher, self._stopping, machine).run(
                self.facts, self.request, self._await_goods, self.folder.mirror(job.slug)
            )

    def _await_goods(self, within_s: float) -> list[Good] | None:
        """Return what is to travel, None if it is not known within so many seconds."""
        return [*self._goods.values()] if self._packed.wait(within_s) else None
