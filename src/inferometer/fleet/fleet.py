"""One run over the nodes of a cluster: who measures, what travels, what comes back, and what is done about what fails."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from inferometer.errors import InferometerError, StoreError, UsageError
from inferometer.fleet.cluster import Cluster, NodeLostError, RemoteAgent
from inferometer.fleet.folder import FleetFolder, Mirror
from inferometer.fleet.goods import Good, given_good, model_good
from inferometer.fleet.nodes import Kind, Node, Selection, gone_on_with, slugs, wanted
from inferometer.fleet.plans import KindPlan, plan_kinds
from inferometer.planning.given_files import given_files, placed
from inferometer.planning.request import RunRequest, from_builtins, to_builtins
from inferometer.running.converted import convert
from inferometer.storage.run_directory import StoredRun
from inferometer.units import counted
from inferometer.version import __version__

_POLL_S = 1.0
_LOOK_EVERY_S = 5.0  # for nodes that come late
_STOP_S = 60.0  # for a run to end once it is interrupted
_AT_ONCE = 256  # nodes that measure at the same time


@dataclass
class Job:
    """A node that measures, or has."""

    node: Node
    slug: str
    state: str = "waiting"  # waiting, sending, measuring, done, failed, lost
    at: str = ""  # what it is doing, or why it ended
    done: int = 0
    total: int = 0
    left: str = ""


class Watcher(Protocol):
    """Who is told how the fleet gets on."""

    def say(self, text: str) -> None:
        """Say a line that stays."""

    def update(self, jobs: Iterable[Job]) -> None:
        """Show what each node is at; called about once a second."""


@dataclass
class Fleet:
    """A run over a cluster."""

    cluster: Cluster
    request: RunRequest
    selection: Selection
    folder: FleetFolder
    facts: dict[str, Any]  # fleet.json
    watcher: Watcher
    plans: dict[Kind, KindPlan] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    _goods: dict[Path | str, Good] = field(default_factory=dict)
    _machines: dict[str, threading.Lock] = field(
        default_factory=dict
    )  # boot id -> held by who measures there
    _held: dict[str, str] = field(
        default_factory=dict
    )  # Ray's id of a node -> the part that its machine keeps
    _known: set[str] = field(default_factory=set)  # Ray's ids of nodes that were asked
    _nodes: list[Node] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[StoredRun]:
        """Measure on every node that is wanted, late ones included, and return what came back; also what a Ctrl-C leaves."""
        self._meet()
        if not self._next():
            raise UsageError(f"no node of the cluster can measure this: {self._reasons()}")
        self._pack()
        self.folder.write(self.facts)
        self.watcher.say(
            f"fleet {self.facts['name']}: {counted(len(self._nodes), 'node')} of {counted(len(self.plans), 'kind')}"
        )
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            try:
                self._supervise(threads)
            except KeyboardInterrupt:
                self.watcher.say("interrupted: waiting for the nodes to end what they are at")
                raise
            finally:
                self._stopping.set()
        return self.folder.runs()

    def _supervise(self, threads: ThreadPoolExecutor) -> None:
        futures: list[Future[None]] = []
        looked = time.monotonic()
        while True:
            ended = all(future.done() for future in futures)  # asked first: one that is lost now is replaced
            begun = [threads.submit(self._measure, self._add(node)) for node in self._next()]
            futures += begun
            self.watcher.update(self.jobs)
            if ended and not begun:
                break
            wait(
                [future for future in futures if not future.done()],
                timeout=_POLL_S,
                return_when=FIRST_COMPLETED,
            )
            if time.monotonic() - looked > _LOOK_EVERY_S:
                self._meet()
                looked = time.monotonic()
        for future in futures:
            future.result()  # what was none of ours to expect

    def _meet(self) -> None:
        """Ask the nodes that are new what they are, and plan for their kinds."""
        new = [one for one in self.cluster.seen() if one.id not in self._known]
        self._known |= {one.id for one in new}
        nodes = self.cluster.ask(new, self.watcher.say)
        for node in nodes:
            if node.refusal:
                self.watcher.say(f"node {node.name} is left out: {node.refusal}")
        sound = [node for node in nodes if not node.refusal]
        if self._nodes and sound:
            self.watcher.say(f"came late: {', '.join(node.name for node in sound)}")
        held = self.cluster.held(self.facts["name"], sound, self.watcher.say)
        over = ("failed", "lost")  # others may go on with what these left
        going = {*self._held.values(), *(job.slug for job in self.jobs if job.state not in over)}
        self._held |= gone_on_with(sound, held, going)
        self._nodes += sound
        fresh = {node.kind: node for node in sound if node.kind not in self.plans}
        self.plans |= plan_kinds(self.request, fresh.values())
        for kind in fresh:
            if refusal := self.plans[kind].refusal:
                self.watcher.say(f"{kind.title}: {refusal}")

    def _next(self) -> list[Node]:
        """Return the nodes to begin on: those that hold a part of this run, and others of kinds that have too few."""
        able = [node for node in self._nodes if self.plans[node.kind].plan]
        taken = Counter(job.node.kind for job in self.jobs if job.state != "lost")
        used = [job.node.id for job in self.jobs]
        holding = [node for node in able if node.id in self._held and node.id not in used]
        taken.update(node.kind for node in holding)
        others = wanted(able, self.selection, taken, [*used, *(node.id for node in holding)])
        return [*holding, *others] if not self._stopping.is_set() else []

    def _add(self, node: Node) -> Job:
        """Return a new job, whose folder is the node's of an earlier part where it had one."""
        known = self._held.get(node.id)
        slug = known or slugs([node.name], [job.slug for job in self.jobs] + self.folder.slugs())[0]
        self.jobs.append(Job(node, slug))
        self.facts["nodes"][slug] = {"hostname": node.name, "kind": node.kind.title}
        self.folder.write(self.facts)
        return self.jobs[-1]

    def _reasons(self) -> str:
        told = [plan.refusal for plan in self.plans.values() if plan.refusal]
        return "; ".join(dict.fromkeys(told)) or (
            "none is of a kind that --nodes asks for" if self._nodes else "no node answers that may"
        )

    def _pack(self) -> None:
        """Convert the model here, for every kind's forms at once, and know what is to travel."""
        for path in given_files(self.request):
            self._goods[path] = given_good(path)
        self.facts["files"] = {str(path): [good.key, good.path.name] for path, good in self._goods.items()}
        forms = set().union(*(plan.forms for plan in self.plans.values()))
        try:
            entries = convert(self.request, forms, {}, self.watcher.say).entries
        except InferometerError as error:
            self.watcher.say(f"the model is converted on each node, since it cannot be here: {error}")
            return
        for entry in entries:
            self._goods[entry.name] = model_good(entry)

    def _measure(self, job: Job) -> None:
        """Measure on one node, from waiting for it to its last record."""
        with self._machine(job.node):
            if self._stopping.is_set():
                job.state, job.at = "failed", "interrupted before it began"
                return
            agent = self.cluster.hold(job.node, self.facts["name"], job.slug)
            try:
                self._send(job, agent)
                self._follow(job, agent, self.folder.mirror(job.slug))
            except NodeLostError as error:
                job.state, job.at = "lost", "the node is gone; what it had measured is kept"
                self.watcher.say(f"node {job.node.name} is lost: {error}")
            except (InferometerError, OSError) as error:  # a file here that is gone ends no other node's run
                job.state, job.at = "failed", str(error)
                self.watcher.say(f"node {job.node.name}: {error}")
            finally:
                agent.release()

    @contextlib.contextmanager
    def _machine(self, node: Node) -> Iterator[None]:
        """Hold a machine that may be several nodes: two measurements on one would disturb each other."""
        with self._machines.setdefault(node.boot or node.id, threading.Lock()):
            yield

    def _send(self, job: Job, agent: RemoteAgent) -> None:
        every = {(good.place, good.key): good for good in self._goods.values()}
        for place, key in agent.call("lacking", [*every]):
            job.state, job.at = "sending", every[place, key].path.name
            self.cluster.send(every[place, key], agent)
        agent.call("start", to_builtins(self.request), self.facts["files"], self.facts)

    def _follow(self, job: Job, agent: RemoteAgent, mirror: Mirror) -> None:
        """Take over what the node measures until it ends."""
        stop_by = within_s = 0.0
        while True:
            answer = agent.call("poll", *mirror.position, within_s)
            mirror.take(answer)
            event = answer["event"]
            job.state, job.at = "measuring", event.get("at", job.at)
            job.done, job.total = event.get("done", job.done), event.get("total", job.total)
            job.left = event.get("left", job.left)
            within_s = 0.0 if answer["more"] else _POLL_S
            if answer["more"]:
                continue
            if answer["status"] is not None:
                break
            if self._stopping.is_set():
                if not stop_by:
                    agent.call("stop")
                    stop_by = time.monotonic() + _STOP_S
                elif time.monotonic() > stop_by:
                    raise StoreError(f"its run did not end within {_STOP_S:g} s of being interrupted")
        mirror.add(agent.call("files"))
        _end(job, event, answer["status"])


def _end(job: Job, event: Mapping[str, Any], status: int) -> None:
    if status:
        interrupted = "interrupted; what it had measured is kept"
        words = interrupted if status == 130 else f"its run left with status {status}"
        raise StoreError(str(event.get("error", words)))
    job.state, job.at, job.left = "done", "", ""


def begin(cluster: Cluster, request: RunRequest, nodes: str | None, out: Path, watcher: Watcher) -> Fleet:
    """Return a new fleet that will write into ``out``."""
    selection = Selection.parse(nodes)
    facts = {
        "name": f"{out.resolve().name}-{secrets.token_hex(4)}",
        "tool": __version__,
        "selection": nodes or "",
        "request": to_builtins(request),
        "nodes": {},
    }
    return Fleet(cluster, request, selection, FleetFolder(out), facts, watcher)


def go_on(cluster: Cluster, resumed: Path, watcher: Watcher) -> Fleet:
    """Return a fleet that goes on with one that was begun: its folder, or its name, of which the nodes keep what they measured.

    StoreError where neither is known, or it was begun by another version.
    """
    folder = FleetFolder(resumed)
    kept = folder.read() if resumed.is_dir() else _asked_for(cluster, resumed, watcher)
    if kept["tool"] != __version__:
        raise StoreError(
            f"{resumed} was begun by inferometer {kept['tool']}, this is {__version__}: its measurements do not mix; start a new run"
        )
    gone = {Path(path): told for path, told in kept["files"].items() if not Path(path).exists()}
    places = {path: cluster.bring_back(key, name, watcher.say) for path, (key, name) in gone.items()}
    request = placed(from_builtins(kept["request"]), places)
    facts = {**kept, "request": to_builtins(request)}
    return Fleet(cluster, request, Selection.parse(kept["selection"] or None), folder, facts, watcher)


def _asked_for(cluster: Cluster, name: Path, watcher: Watcher) -> dict[str, Any]:
    """Return what fleet.json said, as the nodes keep it; StoreError where none does."""
    nodes = cluster.ask(cluster.seen(), watcher.say)
    for parts in cluster.held(name.name, nodes, watcher.say).values():
        return {**next(iter(parts.values())), "nodes": {}}
    raise StoreError(
        f"{name} is no fleet's folder, and no node of the cluster keeps a part of a run of that name"
    )
