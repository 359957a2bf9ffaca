"""A Ray cluster, as far as we ask it: its nodes, an agent that holds a whole one, and bytes by reference. Alone imports Ray."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from inferometer.errors import InferometerError, StoreError, UsageError
from inferometer.fleet import agent, probe
from inferometer.fleet.address import LOCAL, check_answers, meant, no_cluster
from inferometer.fleet.goods import GIVEN, Good, Incoming, placed_at
from inferometer.fleet.nodes import Node
from inferometer.records import Machine

_LOOK_S = 120.0  # a first worker on a node starts in seconds, on a network disk in a minute
_NAMESPACE = "inferometer"
_TRIES = 3  # the head starts a process for each driver, which can die on a busy machine


class NodeLostError(InferometerError):
    """A node, or Ray's process on it, is gone."""


@contextlib.contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Yield the cluster at "ray://HOST:PORT", "HOST:PORT" (on one of its machines) or "local"; UsageError where there is none.

    "local": the one on this machine, which is started for as long as this lasts where none runs.
    """
    address = meant(address)
    ray = _ray()
    check_answers(address)
    settings = {
        "namespace": _NAMESPACE,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": False,
    }
    try:
        _connect(ray, address, settings)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise no_cluster(address, _line(error, 300)) from error
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def _connect(ray: Any, address: str, settings: Mapping[str, Any]) -> None:
    if address.startswith("ray://"):
        _connect_by_client(ray, address, settings)
        return
    if address != LOCAL:
        ray.init(address=address, **settings)
        return
    try:
        ray.init(address="auto", **settings)
    except ConnectionError:
        # else Ray leaves a token in the home, which every cluster that is started there later asks for
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        ray.init(address="local", include_dashboard=False, **settings)


def _connect_by_client(ray: Any, address: str, settings: Mapping[str, Any]) -> None:
    for left in reversed(range(_TRIES)):
        try:
            ray.init(address=address, **settings)
            return
        except ConnectionError as error:
            ray.shutdown()
            if not (left and "Initialization failure from server" in str(error)):
                raise


def _ray() -> Any:
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a thread that asks too late starts no cluster of its own
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--cluster needs Ray: pip install 'inferometer[cluster]', here and on every node"
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.cloudpickle.register_pickle_by_value(probe)
    return ray


@dataclass(frozen=True)
class Seen:
    """A node that is in the cluster, before it was asked anything."""

    id: str
    name: str
    cpus: float
    gpus: float


class Cluster:
    """Nodes, agents on them, and what was sent to any of them."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._sent: dict[
            str, tuple[list[Any], str]
        ] = {}  # key -> references to its pieces, and their SHA-256
        self._sending = threading.Lock()

    def seen(self) -> list[Seen]:
        """Return the nodes that are there now."""
        return [
            Seen(node["NodeID"], node["NodeManagerHostname"], node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
            for node in self._ray.nodes()
            if node["Alive"]
        ]  # fmt: skip

    def ask(self, seen: Iterable[Seen], say: Callable[[str], None]) -> list[Node]:
        """Return what nodes answer of themselves; one that does not answer is told and left out."""
        asked = list(seen)
        versions = self._everywhere(probe.look, asked, say)
        known = [one for one in asked if versions.get(one.id, {}).get("version")]
        same = [
            one
            for one in known
            if Node("", 1, 0, Machine(), version=versions[one.id]["version"]).refusal == ""
        ]
        facts = self._everywhere(agent.describe, same, say)
        nodes = []
        for one in asked:
            if one.id not in versions or (one in same and one.id not in facts):
                continue
            told = facts.get(
                one.id, {"machine": {"hostname": one.name}, "gpu_reason": "", "free_bytes": 0, "boot": ""}
            )
            machine = msgspec.convert(told["machine"], Machine)
            nodes.append(
                Node(one.id, one.cpus, one.gpus, machine, told["gpu_reason"], versions[one.id]["version"], told["free_bytes"], told["boot"])
            )  # fmt: skip
        return nodes

    def held(
        self, name: str, nodes: Iterable[Node], say: Callable[[str], None]
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """Return what nodes keep of a fleet's run, by their ids: `agent.held`."""
        seen = [Seen(node.id, node.name, node.cpus, node.gpus) for node in nodes if not node.refusal]
        return {id: told for id, told in self._everywhere(agent.held, seen, say, name).items() if told}

    def bring_back(self, key: str, name: str, say: Callable[[str], None]) -> Path:
        """Return a file of the user's, which this host lacks, from a node that has it; StoreError where none has."""
        for one in self.seen():
            if found := self._everywhere(agent.given, [one], say, key, name).get(one.id):
                incoming = Incoming(GIVEN, key, name)
                incoming.add(found)
                incoming.finish(hashlib.sha256(found).hexdigest())
                return placed_at(key, name)
        raise StoreError(
            f"{name} is neither on this host nor on a node; bring it to where it was, then resume"
        )

    def _everywhere(
        self, question: Callable[..., Any], seen: Iterable[Seen], say: Callable[[str], None], *arguments: Any
    ) -> dict[str, Any]:
        """Return each node's answer, by its id; they are asked at once."""
        ask = self._ray.remote(num_cpus=0, max_retries=0)(question)
        asked = {one: ask.options(scheduling_strategy=_on(one.id)).remote(*arguments) for one in seen}
        self._ray.wait([*asked.values()], num_returns=len(asked), timeout=_LOOK_S) if asked else None
        answers = {}
        for one, reference in asked.items():
            try:
                answers[one.id] = self._ray.get(reference, timeout=0.1)
            except self._ray.exceptions.RayError as error:
                say(f"node {one.name} does not answer and is left out: {_line(error, 200)}")
        return answers

    def hold(self, node: Node, name: str, slug: str) -> RemoteAgent:
        """Return an agent that has a whole node, once nothing else of the cluster is on it."""
        made = self._ray.remote(num_cpus=node.cpus, num_gpus=node.gpus, max_restarts=0)(agent.Agent)
        return RemoteAgent(self._ray, made.options(scheduling_strategy=_on(node.id)).remote(name, slug))

    def send(self, good: Good, holder: RemoteAgent, go_on: Callable[[], None]) -> None:
        """Bring a file to a node; its bytes go into the object store once, whichever nodes ask for it.

        ``go_on`` is called before each piece; what it raises ends this.
        """
        with self._sending:
            if good.key not in self._sent:
                digest, references = hashlib.sha256(), []
                for chunk in good.chunks():
                    go_on()
                    digest.update(chunk)
                    references.append(self._put(chunk, good.path.name))
                self._sent[good.key] = references, digest.hexdigest()
        references, whole = self._sent[good.key]
        for number, reference in enumerate(references):
            go_on()
            holder.call("receive", good.place, good.key, good.path.name, number, reference)
        holder.call("finish", good.key, whole)

    def _put(self, chunk: bytes, name: str) -> Any:
        try:
            return self._ray.put(chunk)
        except self._ray.exceptions.RayError as error:  # its memory and disk are full
            raise StoreError(
                f"the cluster's object store does not take {name}: {_line(error, 200)}"
            ) from error


def _line(error: BaseException, most: int) -> str:
    return " ".join(str(error).split())[:most]


def _cause(error: BaseException) -> str:
    """Return what went wrong on a node: of the system's errors the file and the words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk of its cache is full; free some, then go on with --resume"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return _line(error, 400)


class RemoteAgent:
    """An `agent.Agent` on a node; NodeLostError from any call once it is gone."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self._first: Any = None  # a reference to the answer of the first question

    def is_there(self, within_s: float) -> bool:
        """Wait for the node so long, and return whether it was given, or was found to be gone."""
        self._first = self._first or self._actor.lacking.remote([])
        ended, _ = self._ray.wait([self._first], timeout=within_s)
        return bool(ended)

    def call(self, method: str, *arguments: Any) -> Any:
        """Return a method's answer; StoreError with what it raised."""
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(getattr(self._actor, method).remote(*arguments))
        except exceptions.RayTaskError as error:
            raise StoreError(_cause(error.cause or error)) from error
        except exceptions.RayError as error:
            raise NodeLostError(_line(error, 200)) from error

    def release(self) -> None:
        """Give the node back."""
        with contextlib.suppress(Exception):  # it may be gone, and so may the cluster
            self._ray.kill(self._actor)


def _on(node_id: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)
