"""Who of a cluster's nodes measures, with what earlier sessions and other nodes have left. Pure."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from inferometer.fleet.measurement import GIVEN_UP, PATIENCE_S, Job
from inferometer.fleet.nodes import Kind, Node, Selection, View, gone_on_with, slugs, wanted
from inferometer.fleet.plans import ViewPlan

_OVER = ("failed", "lost")
_REPLACED = 2  # nodes of a kind that fail, for which others measure
_LONG_PATIENCE_S = 300.0  # for a node that another job may have, where all equal ones were waited for too


@dataclass
class Roster:
    """The nodes of a run, and the parts of it that they measure, or have."""

    selection: Selection
    parts: dict[str, dict[str, Any]]  # what fleet.json says of each
    finished: Mapping[str, str]  # part of an earlier session -> its kind's title
    nodes: list[Node] = field(default_factory=list)
    plans: dict[View, ViewPlan] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    held: dict[str, str] = field(
        default_factory=dict
    )  # Ray's id of a node -> the part that its machine keeps
    given_up: list[str] = field(default_factory=list)  # Ray's ids of nodes, by when each was given up
    _deciding: threading.Lock = field(default_factory=threading.Lock)

    @property
    def kinds(self) -> set[Kind]:
        """Return the kinds of nodes that there are, or were."""
        return {view.kind for view in self.plans}

    @property
    def is_whole(self) -> bool:
        """Return whether all that was begun earlier is done, or as much as was asked of its kind."""
        return bool(self.finished) and not self.missing

    @property
    def missing(self) -> list[str]:
        """Return the parts of the run that are not done, and for which not enough equal nodes are."""
        kinds = {slug: told["kind"] for slug, told in self.parts.items()}
        here = {job.slug: kinds[job.slug] for job in self.jobs if job.state == "done"}
        done = {**self.finished, **here}
        return [slug for slug, kind in kinds.items() if slug not in done and not self._enough(kind, done)]

    def _enough(self, kind: str, done: Mapping[str, str]) -> bool:
        """Return whether a kind, by its title, was finished by as many nodes as are asked for; ``done``: kinds of finished parts."""
        each = self.selection.each
        return each is not None and Counter(done.values())[kind] >= each

    def meet(self, nodes: Iterable[Node], plans: Mapping[View, ViewPlan]) -> None:
        """Take in nodes that answered, and the plans of views that are new."""
        new = list(nodes)
        # what those left that are over, others may go on with
        over = {job.slug for job in self.jobs if job.state in _OVER}
        going = {*self.held.values(), *(job.slug for job in self.jobs)} - over
        self.held |= gone_on_with(new, going)
        self.nodes += new
        self.plans |= plans

    def begin(self, in_use: Callable[[], Iterable[str]]) -> list[Job]:
        """Return new jobs for the nodes to begin on, in folders that are not ``in_use``; those that were given up are none any more."""
        with self._deciding:
            self._forget_given_up()
            return [self.add(node, in_use()) for node in self.next()]

    def next(self) -> list[Node]:
        """Return the nodes to begin on: those that hold a part of this run, and others of kinds that have too few.

        Of those that were given up the one that was waited for longest ago, where no other is left.
        """
        able, taken, used = self._able(), self._taken(), {job.node.id for job in self.jobs}
        fresh = [node for node in able if node.id not in self.given_up]
        found = [node for node in fresh if node.id not in used and self._goes_on(node)]
        tried = [[node] for each in self.given_up for node in able if node.id == each]
        for nodes in (fresh, *tried):
            counted = taken + Counter(node.kind for node in found)
            found += wanted(nodes, self.selection, counted, {*used, *(node.id for node in found)})
        return found

    def _able(self) -> list[Node]:
        return [node for node in self.nodes if self.plans[node.view].plan]

    def give_up(self, job: Job, waited_s: float) -> bool:
        """Give up a job whose node was waited for so long, and return True, where an equal node is free that nobody else takes."""
        with self._deciding:
            kind, each = job.node.kind, self.selection.each
            if each is None or waited_s < PATIENCE_S:
                return False
            used = {other.node.id for other in self.jobs}
            free = [node.id for node in self._able() if node.kind == kind and node.id not in used]
            if waited_s < _LONG_PATIENCE_S:
                free = [one for one in free if one not in self.given_up]
            if len(free) <= max(each - self._taken()[kind], 0):
                return False
            job.state = GIVEN_UP
            self.given_up = [*(one for one in self.given_up if one != job.node.id), job.node.id]
            return True

    def _forget_given_up(self) -> None:
        """Drop the jobs that were given up, and what fleet.json would say of parts that never began."""
        for job in self.jobs:
            if job.state == GIVEN_UP and job.new:
                self.parts.pop(job.slug)
        self.jobs = [job for job in self.jobs if job.state != GIVEN_UP]

    def _goes_on(self, node: Node) -> bool:
        """Return whether a node holds a part that is wanted: not one left unfinished where another of its kind has finished."""
        part = self.held.get(node.id)
        return part is not None and (
            part in self.finished or not self._enough(node.kind.title, self.finished)
        )

    def _taken(self) -> Counter[Kind]:
        """Return how many nodes of each kind have measured or are at it, also those that finished earlier and are gone.

        A node that is lost counts for nothing, and so do the first that fail: what fails on three of a kind fails on all, and
        what cannot be written here is no better from another node.
        """
        jobs = [job for job in self.jobs if job.state != GIVEN_UP]
        taken = Counter(job.node.kind for job in jobs if job.state not in _OVER or job.unkept)
        failed = Counter(job.node.kind for job in jobs if job.state == "failed" and not job.unkept)
        taken.update({kind: max(count - _REPLACED, 0) for kind, count in failed.items()})
        over = {job.slug for job in jobs if job.state in _OVER}
        held = {part for node, part in self.held.items() if node not in self.given_up}
        here = {*held, *(job.slug for job in jobs)} - over
        kinds = {kind.title: kind for kind in self.kinds}
        gone = [title for slug, title in self.finished.items() if slug not in here]
        taken.update(kinds[title] for title in gone if title in kinds)
        return taken

    def add(self, node: Node, in_use: Iterable[str]) -> Job:
        """Return a new job, whose folder is the node's of an earlier part where it had one, else none of those ``in_use``."""
        known = self.held.get(node.id)
        slug = known or slugs([node.name], [*(job.slug for job in self.jobs), *in_use])[0]
        self.jobs.append(Job(node, slug, new=slug not in self.parts))
        self.parts.setdefault(slug, {}).update(node.facts)
        return self.jobs[-1]
