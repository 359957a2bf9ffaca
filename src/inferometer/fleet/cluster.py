"""A Ray cluster, as far as we ask it: its nodes, which say what they are and are held, and bytes by reference."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from inferometer.errors import StoreError
from inferometer.fleet import envoy
from inferometer.fleet.gate import Gate
from inferometer.fleet.goods import GIVEN, Good, Incoming, placed_at
from inferometer.fleet.nodes import Node
from inferometer.fleet.remote import Hold, RemoteAgent, cause_of, on_node, one_line, reached
from inferometer.host.gpus import Lack
from inferometer.records import Machine
from inferometer.version import __version__

LOOK_S = 120.0  # a first worker on a node starts in seconds, on a network disk in a minute


@dataclass(frozen=True)
class Seen:
    """A node that is in the cluster, before it was asked anything."""

    id: str
    name: str = field(compare=False)
    cpus: float = field(compare=False)
    gpus: float = field(compare=False)


class Cluster:
    """Nodes, agents on them, and what was sent to any of them."""

    def __init__(self, ray: Any, *, by_client: bool) -> None:
        self._ray, self._by_client = ray, by_client
        self._sent: dict[
            str, tuple[list[Any], str]
        ] = {}  # key -> references to its pieces, and their SHA-256
        self._sending = threading.Lock()
        self._greeted: dict[str, RemoteAgent] = {}  # by the ids of nodes that are not held
        self._awaited: dict[Seen, float] = {}  # asked, without an answer yet -> until when, by time.monotonic
        self.gate = Gate()
        # its code is sent once, whatever the number of nodes
        self._envoys = ray.remote(num_cpus=0, max_restarts=0)(envoy.Envoy)

    def seen(self) -> list[Seen]:
        """Return the nodes that are there now; UnreachedError where that cannot be had."""
        with reached():  # Ray's client asks for this once, and does not connect anew
            found = self._ray.nodes()
        return [
            Seen(node["NodeID"], node["NodeManagerHostname"], node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
            for node in found
            if node["Alive"]
        ]  # fmt: skip

    def greet(self, seen: Iterable[Seen], name: str) -> None:
        """Let nodes begin to say what they are, for a fleet's run; one of which Ray may give no CPU is not asked."""
        for one in seen:
            if one.cpus and one.id not in self._greeted:
                with reached():
                    self._greeted[one.id] = self._envoy(one, name)

    def _envoy(self, node: Seen | Node, name: str) -> RemoteAgent:
        """Let a node begin to say what it is."""
        actor = self._envoys.options(scheduling_strategy=on_node(node.id)).remote()
        facts = actor.meet.remote(__version__, name, int(node.gpus))
        return RemoteAgent(self._ray, self.gate, actor, facts)

    @property
    def awaited(self) -> list[Seen]:
        """Return the nodes that were asked last, have not answered yet, and may still: who is to know asks again."""
        return [*self._awaited]

    def ask(
        self, seen: Iterable[Seen], name: str, say: Callable[[str], None], first_s: float = LOOK_S, more_s: float = LOOK_S
    ) -> list[Node]:  # fmt: skip
        """Return what nodes answer of themselves: a first one within ``first_s``, and the others within ``more_s`` of that.

        One that has not answered by then is `awaited`; 120 s after it was asked first it is told and left out, as is one that cannot
        answer. UnreachedError as for `seen`.
        """
        asked = list(seen)
        self.greet(asked, name)
        answers = {one: self._greeted[one.id].facts for one in asked if one.id in self._greeted}
        late = self._late(answers, first_s, more_s)
        nodes = []
        for one in asked:
            if one not in answers:
                nodes.append(Node(one.id, one.cpus, one.gpus, Machine(hostname=one.name)))
            elif one in late:
                continue
            elif (told := self._answer(one, answers[one], say)) is not None:
                nodes.append(_node(one, told))
            else:
                self._greeted.pop(one.id).release()
        return nodes

    def _late(self, answers: Mapping[Seen, Any], first_s: float, more_s: float) -> list[Seen]:
        """Wait for answers, by references to them; return those that are `awaited` now."""
        now = time.monotonic()
        self._awaited = {one: self._awaited.get(one, now + LOOK_S) for one in answers}
        for number, most_s in ((1, first_s), (len(answers), more_s)):
            left_s = max(self._awaited.values(), default=now) - time.monotonic()
            come = self._come(answers, number, max(min(most_s, left_s), 0.0))
        now = time.monotonic()
        self._awaited = {one: by for one, by in self._awaited.items() if one not in come and by > now}
        return self.awaited

    def _come(self, answers: Mapping[Seen, Any], number: int, within_s: float) -> list[Seen]:
        """Wait for so many answers, and return who has given one."""
        if not answers:
            return []
        with reached():
            come = set(self._ray.wait([*answers.values()], num_returns=number, timeout=within_s)[0])
        return [one for one, reference in answers.items() if reference in come]

    def _answer(self, one: Seen, reference: Any, say: Callable[[str], None]) -> Any:
        """Return what a node answered, once it was waited for; None, and told, where it did not."""
        with reached():
            try:
                return self._ray.get(reference, timeout=0.1)
            except self._ray.exceptions.GetTimeoutError:
                why = f"nothing came within {LOOK_S:g} s"
            except self._ray.exceptions.RayTaskError as error:
                why = cause_of(error.cause or error)
            except self._ray.exceptions.RayError as error:
                why = one_line(error, 200)
        say(f"node {one.name} does not answer and is left out: {why}")
        return None

    def bring_back(self, key: str, name: str, say: Callable[[str], None]) -> Path:
        """Return a file of the user's, which this host lacks, from a node that has it; StoreError where none has."""
        givers = self._ray.remote(num_cpus=0, max_restarts=0)(envoy.Giver)
        for one in self.seen():
            with reached():
                giver = givers.options(scheduling_strategy=on_node(one.id)).remote(key, name)
            if self._fetch(one, giver, Incoming(GIVEN, key, name), say):
                return placed_at(key, name)
        raise StoreError(
            f"{name} is neither on this host nor on a node; bring it to where it was, then resume"
        )

    def _fetch(self, one: Seen, giver: Any, incoming: Incoming, say: Callable[[str], None]) -> bool:
        """Bring what a node gives here, piece by piece; False where that is nothing, or not all of it."""
        digest, some = hashlib.sha256(), False
        while piece := self._piece(one, giver, say):
            digest.update(piece)
            incoming.add(piece)
            some = True
        if some and piece is not None:
            incoming.finish(digest.hexdigest())
            return True
        incoming.drop()
        return False

    def _piece(self, one: Seen, giver: Any, say: Callable[[str], None]) -> bytes | None:
        """Return the next piece of what a node gives, b"" for no more; None, and told, where it does not answer."""
        with reached():
            reference = giver.piece.remote()
            self._ray.wait([reference], timeout=LOOK_S)
        return cast("bytes | None", self._answer(one, reference, say))

    def hold(self, node: Node, name: str, slug: str) -> RemoteAgent:
        """Return an agent that has a whole node, once nothing else of the cluster is on it."""
        with reached():
            held = self._greeted.pop(node.id, None) or self._envoy(node, name)
            held.hold(Hold(self._ray, node, by_client=self._by_client), name, slug)
        return held

    def let_go(self, kept: Iterable[str] = ()) -> None:
        """Let nodes go that have said what they are and are not held, but those that are to be: ``kept``, by Ray's ids."""
        spared = {*kept, *(one.id for one in self._awaited)}
        for each in [*self._greeted]:
            # one that is held meanwhile is no longer among them
            if each not in spared and (agent := self._greeted.pop(each, None)):
                agent.release()

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
        self.gate.check()
        with reached():
            try:
                return self._ray.put(chunk)
            except self._ray.exceptions.RayError as error:  # its memory and disk are full
                raise StoreError(
                    f"the cluster's object store does not take {name}: {one_line(error, 200)}"
                ) from error


def _node(one: Seen, told: Mapping[str, Any]) -> Node:
    """Return a node as it answered; of another version it tells no more than that."""
    machine = msgspec.convert(told.get("machine", {"hostname": one.name}), Machine)
    return Node(
        one.id, one.cpus, one.gpus, machine, msgspec.convert(told.get("lack", {}), Lack), told.get("visible"), told["version"],
        told.get("free_bytes", 0), told.get("boot", ""), told.get("gives_way", 0), told.get("parts", {}),
    )  # fmt: skip
