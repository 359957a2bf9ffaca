"""Every registration names things that there are, so that a slip of the pen is told here and not by a run."""

import ast
from pathlib import Path

import pytest

import inferometer
from inferometer.cli import invoke
from inferometer.frameworks import locks, requirements
from inferometer.frameworks.catalogue import FRAMEWORKS, parse_choice
from inferometer.models.contract import FORMS

BACKENDS = Path(inferometer.__file__).parent / "worker" / "backends"
EACH = pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS)


@EACH
def test_its_backend_has_a_class_runtime(framework):
    tree = ast.parse((BACKENDS / f"{framework.backend}.py").read_text(encoding="utf-8"))
    assert "Runtime" in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


@EACH
def test_its_name_forms_modes_and_devices_are_known(framework):
    assert parse_choice(framework.name).framework is framework
    assert {framework.form, *framework.forms_by_precision.values(), *framework.other_forms} <= set(FORMS)
    assert set(framework.devices) <= {"cpu", "cuda"} and set(framework.devices) <= set(framework.modes)
    assert all(framework.precisions.values()) and framework.nominal_images_per_s > 0


@EACH
def test_what_it_is_built_from_is_pinned_and_locked(framework):
    pinned = [each for each in requirements.every() if each.name == framework.environment]
    assert bool(pinned) != bool(framework.only_given)
    for each in pinned:
        assert each.download and requirements.version_of(each, framework.distribution)
        unlocked = (each.name, each.accelerator) == (
            "tensorrt",
            "cuda12",
        )  # its libraries are not to be had here
        assert locks.path_of(each.name, each.accelerator).exists() or unlocked, "inferometer env lock NAME"


def test_a_lock_of_an_environment_that_is_none_is_an_error_with_the_nearest_name(capsys):
    assert invoke(["env", "lock", "opencvv"]) == 2
    assert "unknown environment 'opencvv'; did you mean 'opencv'?" in capsys.readouterr().err
