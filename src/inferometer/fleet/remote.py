"""A node of a Ray cluster from afar: what is asked of it, and how it is held."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import Any

from inferometer.errors import InferometerError, StoreError
from inferometer.fleet import envoy
from inferometer.fleet.gate import Gate
from inferometer.fleet.nodes import Node

_CHECK_S = 1.0  # whether the cluster is left


class NodeLostError(InferometerError):
    """A node, or Ray's process on it, is gone."""


class UnreachedError(InferometerError):
    """The cluster itself does not answer, for a moment or for good."""


@contextlib.contextmanager
def reached() -> Iterator[None]:
    """Raise UnreachedError for what Ray raises where a connection breaks: behind ray:// also gRPC's errors, and bare ones."""
    try:
        yield
    except InferometerError:
        raise
    except Exception as error:
        raise UnreachedError(f"the cluster does not answer ({one_line(error, 200)})") from error


class RemoteAgent:
    """An `envoy.Envoy` on a node, and through it an `agent.Agent`; NodeLostError from any call once it is gone."""

    def __init__(self, ray: Any, gate: Gate, actor: Any, facts: Any) -> None:
        """Take an envoy's actor, and the reference to what it says that its node is."""
        self._ray, self._gate, self._actor, self.facts = ray, gate, actor, facts
        self._hold: Hold | None = None
        self._begun: Any = None
        self._alive: Any = None

    def hold(self, hold: Hold, name: str, slug: str) -> None:
        """Let it serve a part of a run, once the node is held."""
        self._hold = hold
        self._begun = self._actor.begin.remote(name, slug)

    def is_there(self, within_s: float) -> bool:
        """Wait for the node so long, and return whether it was given."""
        hold = self._hold
        assert hold is not None
        if self._asked(lambda: hold.is_given(within_s)):
            self._get(lambda: self.facts)  # what went wrong there
            self._get(lambda: self._begun)
            return True
        self._asked(self._look_alive)
        return False

    def _look_alive(self) -> None:
        """Find out whether it has died, without waiting."""
        self._alive = self._alive or self._actor.ping.remote()
        if self._ray.wait([self._alive], timeout=0)[0]:
            self._ray.get(self._alive)
            self._alive = None

    def call(self, method: str, *arguments: Any) -> Any:
        """Return a method's answer; StoreError with what it raised."""
        return self._get(lambda: self._actor.call.remote(method, *arguments))

    def _get(self, ask: Callable[[], Any]) -> Any:
        """Wait for an answer, for as long as the cluster is not left."""
        reference = self._asked(ask)
        while True:
            with contextlib.suppress(self._ray.exceptions.GetTimeoutError):
                return self._asked(lambda: self._ray.get(reference, timeout=_CHECK_S))

    def _asked(self, ask: Callable[[], Any]) -> Any:
        self._gate.check()
        exceptions = self._ray.exceptions
        try:
            return ask()
        except exceptions.GetTimeoutError:
            raise
        except exceptions.RayTaskError as error:
            raise StoreError(cause_of(error.cause or error)) from error
        except Exception as error:  # Ray's; behind ray:// also gRPC's, and bare ones
            raise NodeLostError(one_line(error, 200)) from error

    def release(self) -> None:
        """Give the node back."""
        with contextlib.suppress(Exception):  # it may be gone, and so may the cluster
            self._gate.check()
            self._ray.kill(self._actor)
            if self._hold is not None:
                self._hold.end()


class Hold:
    """All CPUs and GPUs of a node, so that nothing else of the cluster is on it."""

    def __init__(self, ray: Any, node: Node, *, by_client: bool) -> None:
        """Ask Ray for them; ``by_client``: whether a group would take a task, which takes as long as an actor."""
        self._ray, self._node = ray, node
        self._group: Any = None
        self._holder: Any = None
        self._given: Any = None  # a reference to the holder's answer
        if by_client:
            self._wait_by_actor()
            return
        from ray.util.placement_group import placement_group

        needs = {"CPU": node.cpus, "GPU": node.gpus} if node.gpus else {"CPU": node.cpus}
        self._group = placement_group(
            [needs], "STRICT_PACK", bundle_label_selector=[{"ray.io/node-id": node.id}]
        )

    def is_given(self, within_s: float) -> bool:
        """Wait so long, and return whether they are held."""
        if self._group is not None:
            if self._group.wait(max(round(within_s), 1)):
                return True
            # another job has the node: an autoscaler starts further nodes for a group that waits, for such an actor none
            self._give_up_group()
            self._wait_by_actor()
        try:
            return bool(self._ray.get(self._given, timeout=within_s))
        except self._ray.exceptions.GetTimeoutError:
            return False

    def end(self) -> None:
        """Give them back."""
        self._give_up_group()
        if self._holder is not None:
            self._ray.kill(self._holder)

    def _give_up_group(self) -> None:
        from ray.util.placement_group import remove_placement_group

        if self._group is not None:
            remove_placement_group(self._group)
            self._group = None

    def _wait_by_actor(self) -> None:
        made = self._ray.remote(num_cpus=self._node.cpus, num_gpus=self._node.gpus, max_restarts=0)
        self._holder = made(envoy.Holder).options(scheduling_strategy=on_node(self._node.id)).remote()
        self._given = self._holder.ping.remote()


def on_node(node_id: str) -> Any:
    """Return where Ray is to put what belongs on one node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def one_line(error: BaseException, most: int) -> str:
    """Return an error's words as one line of so many characters at most; gRPC's are among other things."""
    details = getattr(error, "details", None)
    return " ".join(str(details() if callable(details) else error).split())[:most]


def cause_of(error: BaseException) -> str:
    """Return what went wrong on a node: of the system's errors the file and the words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk of its cache is full; free some, then go on with --resume"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return one_line(error, 400)
