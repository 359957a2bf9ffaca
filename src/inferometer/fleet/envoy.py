"""What answers for a node inside Ray. Sent by value: it runs where inferometer is missing or another version."""

from __future__ import annotations

from typing import Any


class Envoy:
    """Says what a node is, then holds what measures there; Ray makes an actor of it."""

    def __init__(self) -> None:
        self._process: Any = None
        self._agent: Any = None

    def meet(self, version: str, name: str, gpus: int) -> dict[str, Any]:
        """Return what a node tells of itself, for a fleet's run: `node_facts.describe`.

        The process that is to measure says it, so that it is ready by then. Only "version" where that is not ``version``, "" where
        there is no inferometer. ``gpus``: how many Ray has of the node.
        """
        try:
            from inferometer.version import __version__
        except ImportError:
            return {"version": ""}
        if __version__ != version:
            return {"version": __version__}
        from inferometer.fleet.process import Process

        self._process = Process.started(name, gpus)
        from inferometer.fleet import agent  # noqa: F401  # while the other starts

        return {"version": version, **self._process.facts()}

    def begin(self, name: str, slug: str) -> None:
        """Hold a node's part of a run."""
        from inferometer.fleet.agent import Agent

        self._agent = Agent(name, slug, self._process)

    def call(self, method: str, *arguments: Any) -> Any:
        """Return a method's answer of the `agent.Agent` here."""
        return getattr(self._agent, method)(*arguments)

    def ping(self) -> bool:
        """Return that it is there."""
        return True


class Giver:
    """Gives back a file of the user's that was sent to a node; Ray makes an actor of it."""

    def __init__(self, key: str, name: str) -> None:
        self._key, self._name = key, name
        self._pieces: Any = None

    def piece(self) -> bytes:
        """Return the next piece; b"" after the last one, where the file is not here, and where inferometer is not."""
        if self._pieces is None:
            try:
                from inferometer.fleet.agent import given
            except ImportError:
                return b""
            self._pieces = given(self._key, self._name)
        return next(self._pieces, b"")


class Holder:
    """Holds a node's CPUs and GPUs, and does nothing."""

    def ping(self) -> bool:
        """Return that it is there."""
        return True
