"""How a run over a cluster is begun, and gone on with by a later command."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from inferometer.errors import StoreError
from inferometer.fleet.cluster import Cluster
from inferometer.fleet.fleet import Fleet
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.measurement import Watcher
from inferometer.fleet.nodes import Selection
from inferometer.planning.given_files import placed
from inferometer.planning.request import RunRequest, from_builtins, to_builtins
from inferometer.version import __version__


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
    files = {str(places.get(Path(path), path)): told for path, told in kept["files"].items()}
    facts = {**kept, "request": to_builtins(request), "files": files}
    finished = {slug: kept["nodes"][slug]["kind"] for slug in folder.slugs() if _is_done(kept, slug)}
    selection = Selection.parse(kept["selection"] or None)
    return Fleet(cluster, request, selection, folder, facts, watcher, _finished=finished)


def _is_done(facts: dict[str, Any], slug: str) -> bool:
    return bool(facts["nodes"].get(slug, {}).get("state") == "done")


def _asked_for(cluster: Cluster, name: Path, watcher: Watcher) -> dict[str, Any]:
    """Return what fleet.json said, as the nodes keep it; StoreError where none does."""
    for node in cluster.ask(cluster.seen(), name.name, watcher.say):
        for kept in node.parts.values():
            return {**kept, "nodes": {}}
    raise StoreError(
        f"{name} is no fleet's folder, and no node of the cluster keeps a part of a run of that name"
    )
