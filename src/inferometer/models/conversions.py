"""A source's form turned into others: by the shortest route whose product answers as the source does.

Every conversion is a step with the same request: ``model`` (path of what it starts from), ``specs`` and ``outputs`` (of
that), ``layout`` (of its 4-D inputs), ``inputs`` (.npz of the source's rows) in ``source_layout``, ``trust``, ``out`` (its
folder). It writes its product there, runs it on the rows and leaves the outputs in check.npz, by the order and axes of the
source's; or another step does, in an environment that can run the product. It answers ``inputs``, ``outputs``, ``layout``,
``notes`` and ``versions`` of the product, as far as they differ. A step that quantises gets ``more`` (.npz of rows for checks only) and ``calibration`` (.npz
of rows, or None: those of ``inputs`` and ``more``) besides, and leaves what `quantisation` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from inferometer.errors import InferometerError, InputError, ModelError
from inferometer.models.artifact_cache import hash_file
from inferometer.models.contract import FILES, Artifact, Form
from inferometer.models.quantisation import loss_of
from inferometer.models.routes import Edge, Route, no_way, routes, via
from inferometer.models.step_cache import (
    CachedStep,
    StepCache,
    artifact,
    checks_in,
    conversion_facts,
    judge,
    read_arrays,
)


@dataclass(frozen=True)
class Conversions:
    """The conversions of one model; each is tried once, whichever routes pass it."""

    steps: StepCache
    start: Form
    source: CachedStep
    trust: bool
    quantising: Mapping[str, Any] = field(default_factory=dict)  # what steps that quantise are asked besides
    calibration: Path | None = None  # .npz of rows in the source's layout
    _tried: dict[Route, CachedStep | str] = field(
        default_factory=dict
    )  # what a route led to, or why to nothing
    _refused: set[Route] = field(default_factory=set)  # those whose last step would not quantise the model
    _taken: dict[Form, Route] = field(default_factory=dict)

    def reach(self, form: Form) -> Artifact | str:
        """Return the model in a form, or why it cannot be had: what each route failed by."""
        causes: dict[str, None] = {}
        for route in routes(self.start, form):
            found = self._walk(route)
            if isinstance(found, CachedStep):
                self._taken[form] = route
                return artifact(form, found, via(route))
            causes[found] = None
            if route in self._refused:
                break  # another way leads to the same model, after minutes of foreign converters
        if not causes:
            return no_way(self.start, form)
        return "; ".join(causes)

    def facts(self) -> dict[str, Any]:
        """Return what a run's record keeps: of every form on the routes taken how it was made, by which way."""
        facts: dict[str, Any] = {self.start: conversion_facts(self.source)}
        for route in self._taken.values():
            for length in range(1, len(route) + 1):
                made = self._tried[route[:length]]
                assert isinstance(made, CachedStep)
                way = [self.start, *(edge.end for edge in route[:length])]
                facts[route[length - 1].end] = {
                    **conversion_facts(made),
                    "route": way,
                    "via": via(route[:length]),
                }
        return facts

    def _walk(self, route: Route) -> CachedStep | str:
        if not route:
            return self.source
        if route not in self._tried:
            self._tried[route] = self._convert(route)
        return self._tried[route]

    def _convert(self, route: Route) -> CachedStep | str:
        start, edge = self._walk(route[:-1]), route[-1]
        if isinstance(start, str):
            return start
        try:
            return self._made(edge, start)
        except InferometerError as error:
            if edge.quantises and isinstance(error, InputError):
                self._refused.add(route)
            return f"step {edge.title} failed: {error}"

    def _made(self, edge: Edge, start: CachedStep) -> CachedStep:
        request = {
            "specs": start.answer["inputs"],
            "outputs": start.answer["outputs"],
            "layout": start.answer["layout"],
            "source_layout": self.source.answer["layout"],
            "trust": self.trust,
        }
        paths = {"model": start.folder / FILES[edge.start], "inputs": self.source.folder / "inputs.npz"}
        if edge.quantises:
            return self._quantised(edge, start, request, paths)
        return self.steps.make(
            edge.step,
            edge.environment,
            {"start_key": start.key, **request},
            paths=paths,
            saying=f"converting: {edge.title}",
            then=lambda folder, answer: self._checked(edge, request, folder, answer),
        )

    def _quantised(
        self, edge: Edge, start: CachedStep, request: dict[str, Any], paths: dict[str, Path]
    ) -> CachedStep:
        unseen = self.source.folder / "unseen_inputs.npz"
        rows = {"more": unseen if unseen.exists() else None, "calibration": self.calibration}
        calibration = hash_file(self.calibration) if self.calibration else ""

        def then(folder: Path, answer: dict[str, Any]) -> dict[str, Any]:
            loss = loss_of(folder, self.source.folder)
            found = judge(folder, read_arrays(folder / "reference.npz"), checks_in(folder, answer))
            return {
                **_known(request, answer),
                "loss": loss,
                "parity": found,
                "file_hash": hash_file(folder / FILES[edge.end]),
            }

        return self.steps.make(
            edge.step,
            edge.environment,
            {"start_key": start.key, **request, **self.quantising, "calibration_hash": calibration},
            paths={**paths, **rows},
            saying=f"quantising: {edge.title}",
            then=then,
        )

    def _checked(
        self, edge: Edge, request: dict[str, Any], folder: Path, answer: dict[str, Any]
    ) -> dict[str, Any]:
        """Return a step's answer with the parity of its product; ModelError where the outputs differ from the source's."""
        product = folder / FILES[edge.end]
        known = _known(request, answer)
        if edge.check:
            environment, step = edge.check
            asked = {
                **request,
                "specs": known["inputs"],
                "outputs": known["outputs"],
                "layout": known["layout"],
            }
            paths = {
                "model": str(product),
                "inputs": str(self.source.folder / "inputs.npz"),
                "out": str(folder),
            }
            found = self.steps.run(environment, step, {**asked, **paths})
            known = {**known, **found, "versions": {**answer["versions"], **found["versions"]}}
        self._check_batch(known["inputs"])
        return {**known, "parity": judge(folder, *self._reference), "file_hash": hash_file(product)}

    def _check_batch(self, inputs: list[dict[str, Any]]) -> None:
        """Raise ModelError where a conversion fixed a batch that the source leaves free."""
        fixed = {item["shape"][0] for item in inputs if item["shape"]} - {None}
        if fixed and any(item["shape"][:1] == [None] for item in self.source.answer["inputs"]):
            raise ModelError(f"the converted model takes batches of {fixed.pop()} only, the source any")

    @cached_property
    def _reference(self) -> tuple[list[Any], Any]:
        reference = read_arrays(self.source.folder / "reference.npz")
        return reference, checks_in(self.source.folder, self.source.answer)


def _known(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return a step's answer with what it left as in its request."""
    asked = {"layout": request["layout"], "inputs": request["specs"], "outputs": request["outputs"]}
    return {**asked, **answer}
