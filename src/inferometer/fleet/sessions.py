"""How a run over a cluster is begun, and gone on with by a later command."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError, StoreError, UsageError
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

    UsageError where neither is known, StoreError where it was begun by another version.
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
    finished = _finished(folder, kept["nodes"], watcher)
    selection = Selection.parse(kept["selection"] or None)
    return Fleet(cluster, request, selection, folder, facts, watcher, _finished=finished)


def _finished(folder: FleetFolder, parts: dict[str, dict[str, Any]], watcher: Watcher) -> dict[str, str]:
    """Return the parts that are done, with the titles of their kinds; one whose copy here gives no figures is told, and is none."""
    done = [slug for slug, told in parts.items() if told.get("state") == "done"]
    flaws = {slug: _flaw(folder, slug) for slug in done}
    for slug, flaw in flaws.items():
        if flaw:
            watcher.say(f"{slug} does not count as measured: {flaw}")
    return {slug: parts[slug]["kind"] for slug in done if not flaws[slug]}


def _flaw(folder: FleetFolder, slug: str) -> str:
    """Return why the copy of a part gives no figures, "" if it does."""
    try:
        return "" if folder.read_part(slug).has_figures else "its copy has no figures"
    except InferometerError as error:
        return str(error)


def _asked_for(cluster: Cluster, name: Path, watcher: Watcher) -> dict[str, Any]:
    """Return what fleet.json said, as the nodes keep it; UsageError where none does."""
    for node in cluster.ask(cluster.seen(), name.name, watcher.say):
        for kept in node.parts.values():
            return {**kept, "nodes": {}}
    raise UsageError(
        f"{name} is no fleet's folder, and no node of the cluster keeps a part of a run of that name"
    )
