"""The README of an exported folder: what it is, three commands, and how a program calls it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from inferometer.errors import EnvironmentBuildError
from inferometer.exporting.settings import Row
from inferometer.frameworks import requirements
from inferometer.frameworks.installed import pinned
from inferometer.units import counted

_EXTRAS = re.compile(r"\[[^\]]*\]")


def requirement_lines(row: Row, proof: dict[str, Any]) -> list[str]:
    """Return requirements.txt: every package of the row's environment, or what is known of a user's own interpreter."""
    facts = proof["environment"]
    pins = list(facts["pins"])
    if _is_whole(facts):
        lines = [_EXTRAS.sub("", line) for line in pins]
        brought = sorted(set(facts["installed"]) - set(pinned(pins)))
        return [*lines, *(f"{name}=={_released(facts['installed'][name])}" for name in brought)]
    return pins or _known_of(row, proof)


def _is_whole(environment: Mapping[str, Any]) -> bool:
    """Return whether every package of an environment is known, so that none need be looked for."""
    return bool(environment["pins"] and environment.get("installed"))


def _known_of(row: Row, proof: dict[str, Any]) -> list[str]:
    framework = row.choice.framework
    known = {_distribution(row): framework.module, "numpy": "numpy"}
    if proof["versions"].get("keras"):
        known["keras"] = "keras"
    versions = {name.lower().replace("_", "-"): version for name, version in proof["versions"].items()}
    lines = ["# measured in an interpreter of the user's own, of which this is known"]
    for distribution, module in known.items():
        names = (_EXTRAS.sub("", distribution).lower(), module.replace("_", "-"), framework.name)
        version = next((versions[name] for name in names if name in versions), "")
        lines.append(f"{distribution}=={_released(version)}" if version else distribution)
    return lines


def _distribution(row: Row) -> str:
    """Return the package that holds a framework, which on a GPU may be another, or need its extras."""
    framework = row.choice.framework
    for accelerator in ("cuda13", "cuda12") if row.on_gpu else ():
        with contextlib.suppress(EnvironmentBuildError):  # no such set
            known = requirements.read(framework.environment, accelerator)
            name = known.versioned or framework.distribution
            return next((line.partition("==")[0] for line in known.lines if name in pinned([line])), name)
    return framework.distribution


def _released(version: str) -> str:
    """Return a version without the name of a build, which only that build's own index knows."""
    return version.partition("+")[0]


def readme(row: Row, proof: dict[str, Any], rows: int) -> str:
    """Return README.md."""
    cell, check = proof["row"], proof["check"]
    limits = "; ".join(_limit(output) for output in check["outputs"])
    return f"""# {cell["model"]}: {cell["framework"]}, {cell["precision"]}, batch size {cell["batch_size"]}

Measured by inferometer {proof["inferometer"]["measured"]}: **{proof["measured"]}**, {counted(row.threads, "thread")}. All figures, the machine,
the versions and the hashes of these files are in `proof.json`.

```sh
{_install(row, proof)}
.venv/bin/python infer.py --check    # the outputs of {rows} kept rows, and the files, are those that were measured
.venv/bin/python infer.py --bench    # images/s here, by the same loop, beside the measured figure
```

In a program:

```python
from infer import Model

model = Model()
outputs = model.run(batch)  # a tuple with an array a model input; returns a list with an array a model output
```

Inputs, rows first: {_specs(cell["inputs"])}{f"; images are {cell['layout']}" if cell["layout"] else ""}. They are what was fed to the
model when it was measured, so whatever comes before it in your program is not in here{_preprocessing(proof)}. Outputs: {_specs(cell["outputs"])}. A batch of
another size than {cell["batch_size"]} works where the model takes it; its first call prepares it.{_device(row)}

`--check` holds the largest error of an output over its largest value, and the smallest cosine of a row, against the limits of
{check["precision"]}: {limits}. inferometer's own check looks at slices, too, and at batches in other orders.
"""


def _device(row: Row) -> str:
    """Return which GPU is used, of a row of one."""
    chosen = "the first GPU that `CUDA_VISIBLE_DEVICES` leaves is used"
    return f" It was measured on {row.cell.device}; {chosen}." if row.on_gpu else ""


def _preprocessing(proof: dict[str, Any]) -> str:
    """Return where a reader finds how images became inputs, if there were any."""
    data = proof.get("dataset") or {}
    if not data.get("preprocessing"):
        return ""
    fields = ", ".join(f"{name} {value}" for name, value in data["preprocessing"].items())
    return f"; the images of {data['path']} became inputs by (pixel x scale - mean) / std, with {fields}"


def _install(row: Row, proof: dict[str, Any]) -> str:
    """Return the command that makes the environment, as it was made to measure."""
    facts = proof["environment"]
    python = ".".join(facts["python"].split(".")[:2])
    with contextlib.suppress(EnvironmentBuildError):  # of the user's own, or of another version's
        python = requirements.read(str(facts.get("environment", "")), "cpu").python or python
    pip = ".venv/bin/python -m pip install"
    if "index" in str(facts.get("torch_source", "")):  # which builds torch without CUDA
        pip = "uv pip install --python .venv/bin/python --torch-backend cpu"
    whole = " --no-deps" if _is_whole(facts) else ""
    # uv takes packages that say of themselves that they end before this Python; pip is to
    if whole and pip.startswith(".venv"):
        whole += " --ignore-requires-python"
    return f"python{_plain(python)} -m venv .venv && {pip}{whole} -r requirements.txt"


def _plain(python: str) -> str:
    return found[0] if (found := re.search(r"3\.\d+", python)) else "3"


def _specs(specs: list[dict[str, Any]]) -> str:
    return ", ".join(
        f"`{s['name']}` {s['dtype']} {tuple('n' if d is None else d for d in s['shape'])}".replace("'", "")
        for s in specs
    )


def _limit(output: dict[str, Any]) -> str:
    if output["error"] is None:
        return f"`{output['name']}` is not compared, since each row's answer has a size of its own"
    if not output["scale"]:
        return f"`{output['name']}` {100 * output['error']:.2g}% of its whole numbers may differ"
    return f"`{output['name']}` {output['error']:.1e} and {output['cosine']:.6g}"
