"""Which environments go into a bundle, and the packages of each that are carried, and that are left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from inferometer.bundling.request import BundleRequest
from inferometer.bundling.wheels import Package, packages_of, parted
from inferometer.errors import UsageError, unknown
from inferometer.frameworks import installer, requirements
from inferometer.frameworks.catalogue import ALL, FRAMEWORKS, FrameworkChoice, parse_choice
from inferometer.frameworks.requirements import LOADGEN, Requirements
from inferometer.planning.options import ACCELERATORS
from inferometer.planning.plan import requirements_for


def choices_of(asked: BundleRequest) -> list[tuple[FrameworkChoice, str]]:
    """Return each framework with each accelerator that it runs on; UsageError where there is nothing."""
    for option, given in (("--accelerator", asked.accelerators), ("--frameworks", asked.run.frameworks)):
        if not given:
            raise UsageError(f"{option} is empty; give one name at least")
    for name in asked.accelerators:
        if name not in ACCELERATORS:
            raise unknown("accelerator", name, ACCELERATORS)
    named = _named(asked)
    _check_without(asked.without, named)
    found = [
        (choice, accelerator)
        for choice in named
        for accelerator in asked.accelerators
        if accelerator.rstrip("0123456789") in choice.framework.devices
    ]
    if not found:
        raise UsageError(
            f"--accelerator {','.join(asked.accelerators)} has nothing of {','.join(asked.run.frameworks)}; give another"
        )
    return found


def _named(asked: BundleRequest) -> list[FrameworkChoice]:
    all_ = [name for name in ALL if not FRAMEWORKS[name].only_given]
    names = [each for name in asked.run.frameworks for each in (all_ if name == "all" else [name])]
    return [parse_choice(name) for name in dict.fromkeys(names)]


def _check_without(without: Iterable[str], named: Sequence[FrameworkChoice]) -> None:
    for name in without:
        if parse_choice(name).environment not in {choice.environment for choice in named}:
            asked = ", ".join(dict.fromkeys(choice.framework.name for choice in named))
            raise UsageError(
                f"--without {name}: it is none of the frameworks asked for ({asked}); leave it out"
            )


def wanted_of(
    asked: BundleRequest, choices: Iterable[tuple[FrameworkChoice, str]]
) -> Iterator[tuple[str, Requirements]]:
    """Yield each environment once, with a framework that it is for, but those that the other machine has."""
    without = {parse_choice(name).environment for name in asked.without}
    seen = set()
    for choice, accelerator in choices:
        if choice.environment in without:
            continue
        wanted = requirements_for(choice, accelerator)
        if wanted.python and wanted.python != asked.target.python:
            raise UsageError(
                f"environment '{wanted.name}' needs Python {wanted.python}: give --python {wanted.python}, or leave it out"
            )
        if (wanted.name, wanted.accelerator, wanted.lines) not in seen:
            seen.add((wanted.name, wanted.accelerator, wanted.lines))
            yield choice.label, wanted


@dataclass(frozen=True)
class Content:
    """An environment of a bundle."""

    label: str  # of a framework that it is for; "": no framework's
    requirements: Requirements
    carried: tuple[Package, ...]
    left_out: tuple[Package, ...]


def contents_of(asked: BundleRequest, wanted: Iterable[tuple[str, Requirements]]) -> list[Content]:
    """Return the environments, and LoadGen's for runs with scenarios, with their packages.

    UsageError for a pattern that is for none of these, EnvironmentBuildError where a set without a lock cannot be resolved.
    """
    found = [
        _content(asked, label, each) for label, each in [*wanted, ("", requirements.read(LOADGEN, "cpu"))]
    ]
    left_out = [package for each in found for package in each.left_out]
    for pattern in asked.leave_out:
        if not parted(left_out, [pattern])[1]:
            raise UsageError(
                f"--leave-out {pattern}: no environment of this bundle has a package of that name; correct it, or leave it out"
            )
    return found


def _content(asked: BundleRequest, label: str, wanted: Requirements) -> Content:
    lock = wanted.lock or installer.lock_of(wanted, asked.target.python)
    carried, left_out = parted(packages_of(lock, asked.target), asked.leave_out)
    return Content(label, wanted, tuple(carried), tuple(left_out))
