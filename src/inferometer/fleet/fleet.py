"""One run over the nodes of a cluster: what travels, what comes back, and what is done about what fails."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError, StoreError, UsageError
from inferometer.fleet.cluster import LOOK_S, Cluster
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.goods import Good, given_good, model_good
from inferometer.fleet.measurement import NOT_BEGUN, Job, Measurement, Watcher
from inferometer.fleet.nodes import Selection
from inferometer.fleet.plans import plan_views
from inferometer.fleet.remote import UnreachedError
from inferometer.fleet.who_measures import Roster
from inferometer.planning.given_files import given_files
from inferometer.planning.request import RunRequest
from inferometer.running.converted import convert
from inferometer.units import counted

_SHOW_S = 1.0
_LOOK_EVERY_S = 5.0  # for nodes that come late
_OTHERS_S = 10.0  # for the others to say what they are, once a node has
_LATE_S = 1.0  # the same, once the run may go on
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
    _finished: dict[str, str] = field(default_factory=dict)  # part of an earlier session -> its kind's title
    _goods: dict[Path | str, Good] = field(default_factory=dict)
    _machines: dict[str, threading.Lock] = field(
        default_factory=dict
    )  # boot id -> held by who measures there
    _known: set[str] = field(default_factory=set)  # Ray's ids of nodes that were asked
    _unreached: bool = False  # the cluster did not answer when nodes were looked for last
    _stopping: threading.Event = field(default_factory=threading.Event)
    _packed: threading.Event = field(default_factory=threading.Event)  # what is to travel is known
    _roster: Roster = field(init=False)

    def __post_init__(self) -> None:
        self._roster = Roster(self.selection, self.facts["nodes"], self._finished)

    def run(self) -> None:
        """Measure on every node that is wanted, late ones included; the folder has what comes back, also what a Ctrl-C leaves."""
        self.cluster.greet(self.cluster.seen(), self.facts["name"])
        self._look_at_files()  # while they start
        self._meet()
        while not self._roster.next() and not self._roster.is_whole and self.cluster.awaited:
            self._meet()
        if not self._roster.next():
            if self._roster.is_whole:
                self.watcher.say("nothing is missing: what was asked of each kind has been measured")
                return
            if self.missing:
                raise StoreError(
                    f"unfinished: {', '.join(self.missing)}; no node of the cluster can go on with it"
                )
            raise UsageError(f"no node of the cluster can measure this: {self._reasons()}")
        self.folder.write(self.facts)
        self.folder.unmerge()  # an earlier session's, which would hide what comes now
        self.watcher.say(
            f"fleet {self.facts['name']}: {counted(len(self._roster.nodes), 'node')} of {counted(len(self._roster.kinds), 'kind')}"
        )
        for one in self.cluster.awaited:
            self.watcher.say(f"node {one.name} has not answered yet; the others begin")
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
            threads.shutdown(cancel_futures=True)
            for job in self.jobs:
                if job.state == "waiting":  # for others to end, more than measure at once
                    job.state, job.at = "failed", NOT_BEGUN
            raise
        finally:
            self._keep_ends()

    @property
    def jobs(self) -> list[Job]:
        """Return what measures, or has."""
        return self._roster.jobs

    @property
    def missing(self) -> list[str]:
        """Return the parts of the run that are not done, and for which not enough equal nodes are."""
        return self._roster.missing

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
        jobs = [] if self._stopping.is_set() else self._roster.begin(self.folder.slugs)
        if jobs:
            self.folder.write(self.facts)
        begun = [threads.submit(self._measure, job) for job in jobs]
        self.cluster.let_go(job.node.id for job in self.jobs)
        return begun

    def _supervise(self, threads: ThreadPoolExecutor, futures: list[Future[None]]) -> None:
        looked = time.monotonic()
        while True:
            ended = all(future.done() for future in futures)  # asked first: one that is lost now is replaced
            begun = self._begin(threads)
            futures += begun
            self.watcher.update(self.jobs)
            self._keep_ends()
            if ended and not begun and (self._unreached or not self.cluster.awaited):
                break
            going = [future for future in futures if not future.done()]
            if going:
                wait(going, timeout=_SHOW_S, return_when=FIRST_COMPLETED)
            else:
                time.sleep(_SHOW_S)  # for a node that has not answered yet
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
        # one that hangs keeps nobody from beginning, nor what measures from being looked after
        waits = (_LATE_S, _LATE_S) if self._roster.nodes else (LOOK_S, _OTHERS_S)
        nodes = self.cluster.ask(new, self.facts["name"], self.watcher.say, *waits)
        self._known |= {one.id for one in new} - {one.id for one in self.cluster.awaited}
        for warning in filter(None, (node.warning for node in nodes)):
            self.watcher.say(warning)
        sound = [node for node in nodes if not node.refusal]
        if less := [node for node in sound if node.gives_way]:
            self.watcher.say(
                f"what measures gives way to other processes on {', '.join(node.name for node in less)}: Ray gives it a niceness of "
                f"{less[0].gives_way}; start Ray there with RAY_worker_niceness=0"
            )
        if self._roster.nodes and sound:
            self.watcher.say(f"came late: {', '.join(node.name for node in sound)}")
        fresh = plan_views(self.request, [node for node in sound if node.view not in self._roster.plans])
        self._roster.meet(sound, fresh)
        for view, planned in fresh.items():
            if planned.refusal:
                self.watcher.say(f"{view.kind.title}: {planned.refusal}")

    def _reasons(self) -> str:
        told = [
            plan.refusal
            for view, plan in self._roster.plans.items()
            if plan.refusal and self.selection.takes(view.kind)
        ]
        return "; ".join(dict.fromkeys(told)) or (
            "none is of a kind that --nodes asks for" if self._roster.nodes else "no node answers that may"
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
        forms = set().union(*(plan.forms for plan in self._roster.plans.values()))
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
            Measurement(self.cluster, job, self.watcher, self._stopping, machine, self._roster.give_up).run(
                self.facts, self.request, self._await_goods, self.folder.mirror(job.slug)
            )

    def _await_goods(self, within_s: float) -> list[Good] | None:
        """Return what is to travel, None if it is not known within so many seconds."""
        return [*self._goods.values()] if self._packed.wait(within_s) else None
