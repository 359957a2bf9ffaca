"""The folder of an exported row, written beside its place and moved there when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from inferometer.errors import StoreError, UsageError, to_write_again
from inferometer.exporting import proof as proofs
from inferometer.exporting.assembled import assemble
from inferometer.exporting.kept_rows import limits, write_rows
from inferometer.exporting.located import Located, locate
from inferometer.exporting.readme import readme, requirement_lines
from inferometer.exporting.settings import Row, Settings, choice_of, refuse, settings_of
from inferometer.host.machine import describe_machine
from inferometer.models.artifact_cache import ENTRY
from inferometer.planning.request import from_builtins
from inferometer.results.cells import CellSummary
from inferometer.storage.run_directory import StoredRun, read_run
from inferometer.worker.backends.parts import keras_file, keras_precision

Notice = Callable[[str], None]


def check_out(out: Path) -> None:
    """Raise UsageError unless ``out`` may become the folder: it does not exist, or is an empty folder."""
    if out.is_dir():
        held = sorted(path.name for path in out.iterdir())
        if held:
            raise UsageError(f"--out {out} is not empty (it holds {held[0]}); give a new folder")
    elif out.exists():
        raise UsageError(f"--out {out} is a file; give a new folder")


def export(summary: CellSummary, out: Path, notice: Notice) -> None:
    """Write the folder of a measured cell; ``notice`` is told, in a line each, what a user should know.

    UsageError for a cell that cannot be exported, StoreError where its model is not to be had.
    """
    check_out(out)
    choice = choice_of(summary.cell)
    refuse(summary.cell, choice)
    run = _run_of(summary)
    _tell_machine(run, summary, notice)
    located = locate(run, summary.cell, choice, notice)
    request = from_builtins(run.info.request)
    row = Row(summary.cell, choice, located.artifact, request.protocol.threads, request.model.trust_model)
    settings = settings_of(row)
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        _fill(partial, row, settings, located, (summary, run, request.tolerance))
        partial.replace(out)
    except OSError as error:
        raise StoreError(
            f"cannot write {out}: {error.strerror or error}; {to_write_again(error, 'give another --out')}"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run_of(summary: CellSummary) -> StoredRun:
    """Return the newest run that measured a cell; UsageError for one that was imported."""
    runs = [read_run(path) for path in summary.paths]
    measured = [run for run in runs if run.info.source == "measured" and run.info.request]
    if not measured:
        raise UsageError(
            f"{summary.paths[0]} was not measured by inferometer, so there is no model to export; give a run of `inferometer run`"
        )
    return max(measured, key=lambda run: run.info.created_at)


def _tell_machine(run: StoredRun, summary: CellSummary, notice: Notice) -> None:
    here = describe_machine()
    if here.fingerprint != msgspec.structs.replace(run.info.machine, name="").fingerprint:
        notice(f"the figures are of another machine, {summary.machine}; this one is {here.cpu}")


def _fill(
    folder: Path,
    row: Row,
    settings: Settings,
    located: Located,
    measured: tuple[CellSummary, StoredRun, float | None],
) -> None:
    summary, run, tolerance = measured
    _copy_artifact(row, folder)
    check = limits(located, row.precision, tolerance)
    check["rows"] = write_rows(located, settings.memory_layout, folder / "rows.npz")
    facts = proofs.proof(row, summary, run, located, check)
    code = assemble(settings.template, settings.constants, settings.parts)
    (folder / "infer.py").write_text(code, encoding="utf-8")
    lines = "\n".join(requirement_lines(row, facts)) + "\n"
    (folder / "requirements.txt").write_text(lines, encoding="utf-8")
    found = proofs.hashes(folder)
    facts["code"] = {
        name: found.pop(name) for name in ("infer.py", "requirements.txt")
    }  # a user may change it
    facts["files"] = found
    (folder / "README.md").write_text(readme(row, facts, check["rows"]), encoding="utf-8")
    text = json.dumps(facts, indent=1, ensure_ascii=False, default=str)
    (folder / "proof.json").write_text(text + "\n", encoding="utf-8")


def _copy_artifact(row: Row, folder: Path) -> None:
    """Copy the artifact and what it refers to; a Keras file for lower precision with its layers' types changed, once."""
    source = row.artifact.path
    if source.is_dir():
        shutil.copytree(source, folder / source.name)
        return
    target = folder / source.name
    policy = keras_precision.POLICIES.get(row.precision, "float32")
    if row.artifact.form == "keras" and policy != "float32":
        keras_file.copy_changed(source, target, lambda config: keras_precision.lowered(config, policy))
    else:
        shutil.copyfile(source, target)
    if source.suffix == ".onnx":
        _copy_external(source, folder)
    if source.suffix == ".xml":  # OpenVINO's own: weights lie beside it
        shutil.copyfile(source.with_suffix(".bin"), target.with_suffix(".bin"))


def _copy_external(source: Path, folder: Path) -> None:
    """Copy the files beside an ONNX file in which it keeps weights: it names them by their paths."""
    content = source.read_bytes()
    for path in source.parent.rglob("*"):
        name = path.relative_to(source.parent)
        if path.is_file() and name.name not in (source.name, ENTRY) and name.as_posix().encode() in content:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)


__all__ = ["check_out", "export"]
