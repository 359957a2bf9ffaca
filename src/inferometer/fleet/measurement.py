"""One node's part of a run over a cluster: it is held, sent what it lacks, followed until it ends, and given back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from inferometer.errors import InferometerError, StoreError
from inferometer.fleet.agent import INTERRUPTED
from inferometer.fleet.cluster import Cluster
from inferometer.fleet.folder import Mirror
from inferometer.fleet.goods import Good
from inferometer.fleet.nodes import Node
from inferometer.fleet.remote import NodeLostError, RemoteAgent, UnreachedError
from inferometer.planning.request import RunRequest, to_builtins

# what is to travel, None if it is not known within so many seconds
AwaitGoods = Callable[[float], list[Good] | None]
GIVEN_UP = "given up"  # the state of a job in whose place an equal node measures
NOT_BEGUN = "interrupted before it began"
_POLL_S = 1.0
PATIENCE_S = 10.0  # before it is told that a node is waited for, or an equal one is taken
_STOP_S = 60.0  # for a run to end once it is interrupted


class _GivenUpError(InferometerError):
    """Another job has the node, and an equal one measures instead."""


class _NotKeptError(InferometerError):
    """What a node sent could not be written here."""


@dataclass
class Job:
    """A node that measures, or has."""

    node: Node
    slug: str
    state: str = "waiting"  # waiting, sending, measuring, done, failed, lost, given up
    at: str = ""  # what it is doing, or why it ended
    done: int = 0
    total: int = 0
    left: str = ""
    unkept: bool = False  # what came back could not be written here
    new: bool = True  # no earlier session began it


class Watcher(Protocol):
    """Who is told how the fleet gets on."""

    def say(self, text: str) -> None:
        """Say a line that stays."""

    def update(self, jobs: Iterable[Job]) -> None:
        """Show what each node is at; called about once a second."""


@dataclass(frozen=True)
class Measurement:
    """A job that is done on a cluster's node; whatever goes wrong stands in the job and is told."""

    cluster: Cluster
    job: Job
    watcher: Watcher
    stopping: threading.Event
    machine: threading.Lock  # held by the one of its nodes that measures
    give_up: Callable[[Job, float], bool]  # after so many seconds, for an equal node

    def run(
        self, facts: Mapping[str, Any], request: RunRequest, await_goods: AwaitGoods, mirror: Mirror
    ) -> None:
        """Measure, from waiting for the node to its last record; ``facts`` are fleet.json's."""
        job = self.job
        try:
            with self._held(facts["name"]) as agent, self._turn():
                self._send(agent, await_goods)
                agent.call("start", to_builtins(request), facts["files"], facts)
                self._follow(agent, mirror)
        except _GivenUpError as error:
            self.watcher.say(f"node {job.node.name}: {error}")
        except (NodeLostError, UnreachedError) as error:
            job.state, job.at = "lost", "the node is gone; what it had measured is kept"
            self.watcher.say(f"node {job.node.name} is lost: {error}")
        except (InferometerError, OSError) as error:  # a file here that is gone ends no other node's run
            job.state, job.at, job.unkept = "failed", str(error), isinstance(error, _NotKeptError)
            self.watcher.say(f"node {job.node.name}: {error}")

    @contextlib.contextmanager
    def _held(self, name: str) -> Iterator[RemoteAgent]:
        """Hold the node for a run."""
        self._go_on()
        agent = self.cluster.hold(self.job.node, name, self.job.slug)
        try:
            self._await_node(agent)
            yield agent
        finally:
            agent.release()

    def _await_node(self, agent: RemoteAgent) -> None:
        """Wait until nothing else of the cluster is on the node, which may take as long as another's job does."""
        began, told = time.monotonic(), False
        self.job.at = "waits until the cluster gives the node"
        self._go_on()
        while not agent.is_there(_POLL_S):
            self._go_on()
            waited_s = time.monotonic() - began
            if self.give_up(self.job, waited_s):
                raise _GivenUpError("another job may have its CPUs or GPUs; an equal node is taken instead")
            if not told and waited_s > PATIENCE_S:
                told = True
                self.watcher.say(
                    f"node {self.job.node.name}: {self.job.at}; another job may have its CPUs or GPUs"
                )

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the machine, which may be several nodes: after the node, since whoever waits for that is in nobody's way."""
        self.job.at = "waits for another node of its machine"
        while not self.machine.acquire(timeout=_POLL_S):
            self._go_on()
        try:
            self.job.at = ""
            yield
        finally:
            self.machine.release()

    def _go_on(self) -> None:
        if self.stopping.is_set():
            raise StoreError(NOT_BEGUN)

    def _send(self, agent: RemoteAgent, await_goods: AwaitGoods) -> None:
        self.job.at = "waits for the model to be converted here"
        while (goods := await_goods(_POLL_S)) is None:
            self._go_on()
        self.job.at = ""
        every = {(good.place, good.key): good for good in goods}
        for place, key in agent.call("lacking", [*every]):
            self.job.state, self.job.at = "sending", every[place, key].path.name
            self.cluster.send(every[place, key], agent, self._go_on)
        self._go_on()

    def _follow(self, agent: RemoteAgent, mirror: Mirror) -> None:
        """Take over what the node measures until it ends."""
        job = self.job
        stop_by = within_s = 0.0
        while True:
            answer = agent.call("poll", *mirror.position, within_s)
            _keep(mirror, answer)
            event = answer["event"]
            note(job, event)
            within_s = 0.0 if answer["more"] else _POLL_S
            if answer["more"]:
                continue
            if answer["status"] is not None:
                break
            if self.stopping.is_set():
                if not stop_by:
                    agent.call("stop")
                    stop_by = time.monotonic() + _STOP_S
                elif time.monotonic() > stop_by:
                    raise StoreError(f"its run did not end within {_STOP_S:g} s of being interrupted")
        try:
            self._fetch(agent, mirror)
        except (InferometerError, OSError) as error:  # all of its records are here
            self.watcher.say(f"node {job.node.name}: some of its logs did not come: {error}")
        _end(job, event, answer["status"])

    def _fetch(self, agent: RemoteAgent, mirror: Mirror) -> None:
        """Take over what a run that has ended holds besides its records."""
        left_out: list[str] = []
        number: int | None = 0
        while number is not None:
            answer = agent.call("files", number)
            mirror.add(answer["files"])
            left_out += answer["left_out"]
            number = answer["next"]
        if left_out:
            self.watcher.say(
                f"node {self.job.node.name}: too large to travel, left in its cache: {', '.join(left_out)}"
            )


def _keep(mirror: Mirror, answer: Mapping[str, Any]) -> None:
    try:
        mirror.take(answer)
    except StoreError as error:
        raise _NotKeptError(str(error)) from error


def note(job: Job, event: Mapping[str, Any]) -> None:
    """Write into a job what its node is at; an event without a time left (scenarios, an evaluation) has none to show."""
    job.state, job.at = "measuring", event.get("at", job.at)
    job.done, job.total = event.get("done", job.done), event.get("total", job.total)
    job.left = event.get("left", "")


def _end(job: Job, event: Mapping[str, Any], status: int) -> None:
    """Note that a node is done; StoreError with the cause where its run failed."""
    if status:
        interrupted = "interrupted; what it had measured is kept"
        words = interrupted if status == INTERRUPTED else f"its run left with status {status}"
        raise StoreError(str(event.get("error", words)))
    job.state, job.at, job.left = "done", "", ""
