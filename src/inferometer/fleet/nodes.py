"""The nodes of a cluster as they answered, their kinds, and which of them measure. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from inferometer.errors import UsageError
from inferometer.host.gpus import NO_LACK, Lack, names_mig_instance, visible_gpus
from inferometer.records import Gpu, Machine
from inferometer.records.machine import is_named, names_of
from inferometer.version import __version__

_MIG = "a MIG instance"
LEAST_FREE_BYTES = 2 * 2**30  # an environment and a model


@dataclass(frozen=True)
class Node:
    """A node that answered: what it is, and what Ray may give of it."""

    id: str  # Ray's
    cpus: float
    gpus: float
    machine: Machine
    lack: Lack = NO_LACK  # why it has no GPU, or fewer
    visible: str | None = None  # CUDA_VISIBLE_DEVICES there, None where it is not set
    version: str = __version__
    free_bytes: int = LEAST_FREE_BYTES  # where its cache lies
    boot: str = ""  # equal for nodes that are one machine
    gives_way: int = 0  # how much less urgent what measures there is than Ray itself, in niceness
    # what it keeps of a run: by each part's name what fleet.json said
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """Return its name in tables."""
        return self.machine.hostname or self.id[:8]

    @property
    def kind(self) -> Kind:
        """Return what hardware it is; of one that sees a part of its machine's GPUs that part."""
        machine, gpus = self.machine, self._gpus
        names = names_of(gpus)
        if machine.gpus and names_mig_instance(self.visible):
            gpus, names = machine.gpus, (_MIG,)
        driver = gpus[0].driver if gpus else ""
        return Kind(machine.cpu, machine.usable_cores, names, driver)

    @property
    def view(self) -> View:
        """Return what a plan for it depends on."""
        return View(self.kind, tuple(gpu.index for gpu in self._gpus))

    @property
    def facts(self) -> dict[str, Any]:
        """Return what fleet.json has of it, by which the part of a run that it began is known."""
        return {
            "hostname": self.name,
            "kind": self.kind.title,
            "hardware": self.machine.fingerprint,
            "gpus": [gpu.uuid for gpu in self._gpus],
        }

    @property
    def _gpus(self) -> tuple[Gpu, ...]:
        return visible_gpus(self.machine.gpus, self.visible)

    @property
    def refusal(self) -> str:
        """Return why it cannot measure, "" if it can."""
        if self.version != __version__:
            has = f"inferometer {self.version}" if self.version else "no inferometer"
            return f"it has {has}, here is {__version__}: install the same there (pip install 'inferometer[cluster]=={__version__}')"
        if not self.cpus:
            return "Ray may give no CPU of it (--num-cpus 0)"
        if self.free_bytes < LEAST_FREE_BYTES:
            return f"{self.free_bytes / 2**30:.1f} GiB are free for its cache, {LEAST_FREE_BYTES / 2**30:.0f} are needed; free some, or set INFEROMETER_CACHE there"
        return ""

    @property
    def warning(self) -> str:
        """Return what is to be told of it beforehand: that it is left out, or that its GPUs fail; "" for neither."""
        if self.refusal:
            return f"node {self.name} is left out: {self.refusal}"
        return f"node {self.name}: {self.lack.reason}" if self.lack.fault else ""


@dataclass(frozen=True, order=True)
class Kind:
    """Hardware that counts as equal: CPU, how many may be used, GPUs, and their driver."""

    cpu: str
    cores: int
    gpus: tuple[str, ...] = ()
    driver: str = ""

    @property
    def title(self) -> str:
        """Return it for people: "2 x NVIDIA A2 (driver 580.1), AMD EPYC, 32 CPUs"."""
        gpus = f"{', '.join(self.gpus)} (driver {self.driver or 'not told'}), " if self.gpus else ""
        return f"{gpus}{self.cpu or 'unknown CPU'}, {self.cores} CPUs"


class View(NamedTuple):
    """A kind, and the numbers of the GPUs that a node sees of its machine's."""

    kind: Kind
    gpus: tuple[int, ...]


@dataclass(frozen=True)
class Selection:
    """What `--nodes` asks: so many nodes of each kind (None: all), of those with one of some GPUs."""

    each: int | None = 1
    gpus: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> Selection:
        """Return what a text asks: "all", "2", "gpu=H100,A2"; UsageError for any other."""
        if text is None:
            return cls()
        if text == "all":
            return cls(None)
        if re.fullmatch(r"[1-9]\d{0,5}", text):
            return cls(int(text))
        names = tuple(name.strip() for name in text.removeprefix("gpu=").split(",") if name.strip())
        if text.startswith("gpu=") and names:
            return cls(1, names)
        raise UsageError(f"--nodes '{text}': give all, how many of each kind, or gpu=NAME,NAME")

    def takes(self, kind: Kind) -> bool:
        """Return whether nodes of a kind are asked for."""
        return not self.gpus or any(is_named(name, gpu) for name in self.gpus for gpu in kind.gpus)


def by_kind(nodes: Iterable[Node]) -> dict[Kind, list[Node]]:
    """Return the nodes of each kind, in the order of their names."""
    found: dict[Kind, list[Node]] = defaultdict(list)
    for node in sorted(nodes, key=lambda node: (node.name, node.id)):
        found[node.kind].append(node)
    return dict(found)


def wanted(
    nodes: Iterable[Node], selection: Selection, taken: Mapping[Kind, int], used: Iterable[str] = ()
) -> list[Node]:
    """Return the nodes that are to measure besides the ``taken`` of each kind, none of the ``used`` ones (Ray's ids)."""
    gone = set(used)
    found: list[Node] = []
    for kind, members in by_kind(nodes).items():
        free = [node for node in members if node.id not in gone and not node.refusal]
        left = None if selection.each is None else max(selection.each - taken.get(kind, 0), 0)
        found += free[:left] if selection.takes(kind) else []
    return found


def gone_on_with(nodes: Sequence[Node], going: Iterable[str]) -> dict[str, str]:
    """Return the part of a run that each node is to go on with, by Ray's ids: one that it began, else one of its kind.

    ``going``: the parts that are somebody's.
    Nodes may share a disk (a home on the network), and a disk may be another node's later (a pod's volume). What was measured on
    some GPUs goes on on these alone.
    """
    found: dict[str, str] = {}
    taken = set(going)
    for names in (("hostname", "kind"), ("kind",)):
        for node in nodes:
            own = node.facts
            for part, told in node.parts.items():
                then = told.get("nodes", {}).get(part, {})
                if node.id not in found and part not in taken and _agree(then, own, names):
                    found[node.id] = part
                    taken.add(part)
    return found


def _agree(then: Mapping[str, Any], now: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Return whether facts of two times have the same ``names``, and the same hardware and GPUs where the earlier has any."""
    fixed = [name for name in ("hardware", "gpus") if name in then]
    return all(then.get(name) == now[name] for name in (*names, *fixed))


def slugs(names: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Return a folder's name for each node's name, none twice."""
    seen, found = set(taken), []
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "node"
        slug, number = plain, 2
        while slug in seen:
            slug, number = f"{plain}-{number}", number + 1
        seen.add(slug)
        found.append(slug)
    return found
