"""`bundle` and `unbundle`: what a run needs, for a machine without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from inferometer import units
from inferometer.cli.common import notice, with_options
from inferometer.cli.options import keywords, option
from inferometer.cli.paths import PATH
from inferometer.models.contract import ModelRequest
from inferometer.planning import values
from inferometer.planning.options import MatrixOptions, ModelOptions

_ASKED = ("frameworks", "precisions", *ModelOptions.__annotations__)
assert set(_ASKED) - set(ModelOptions.__annotations__) <= set(MatrixOptions.__annotations__)


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return values.names(str(parameter.opts[0]), value) if value else ()


@click.command("bundle")
@click.argument("model", default=ModelRequest.model)
@with_options(*map(option, _ASKED))
@click.option(
    "--accelerator",
    "accelerators",
    default="cpu",
    show_default=True,
    callback=_names,
    help="Of the other machine: cpu, cuda12, cuda13; several with commas.",
)
@click.option(
    "--python", "python", default="3.12", show_default=True, help="Version of the other machine's Python."
)
@click.option("--platform", default="linux-x86_64", show_default=True, help="linux-x86_64 or linux-aarch64.")
@click.option(
    "--extras",
    callback=_names,
    metavar="NAMES",
    help="Extras of inferometer that the other machine needs: cluster (a node of a fleet), index, xlsx, ...",
)
@click.option(
    "--without",
    callback=_names,
    metavar="NAMES",
    help="Frameworks that the other machine has (run them there with --python NAME=PATH): only the model is packed for them.",
)
@click.option(
    "--leave-out",
    callback=_names,
    metavar="PATTERNS",
    help="Packages that a Python there has, such as 'nvidia-*': unbundle --borrow links them.",
)
@click.option(
    "--convert-with",
    multiple=True,
    metavar="NAME=PATH",
    help="An interpreter here that converts, such as one with the other machine's torch.",
)
@click.option("--part-bytes", type=int, default=62_000_000, show_default=True, help="Most that a part has.")
@click.option("--out", type=PATH, required=True, help="Folder to write: parts, bundle.json and unbundle.py.")
def bundle_command(
    *, model: str, accelerators: tuple[str, ...], python: str, platform: str, extras: tuple[str, ...], without: tuple[str, ...],
    leave_out: tuple[str, ...], convert_with: tuple[str, ...], part_bytes: int, out: Path, **options: Any,
) -> int:  # fmt: skip
    """Pack MODEL, its frameworks and inferometer for a machine without a network (docs/bundles.md)."""
    from inferometer.bundling.bundle import make_bundle
    from inferometer.bundling.request import BundleRequest
    from inferometer.bundling.target import Target
    from inferometer.planning.request import make_request

    interpreters = {
        name: Path(path) for name, path in values.word_pairs("--convert-with", convert_with).items()
    }
    asked = BundleRequest(
        make_request(model, **keywords(options)), accelerators, Target(python, platform), without, leave_out, extras, interpreters, part_bytes
    )  # fmt: skip
    made = make_bundle(asked, out, notice)
    parts = units.counted(made.parts, "part")
    click.echo(f"{made.folder}: {parts}, {units.size(made.size_bytes)}")
    click.echo(f"environments: {', '.join(made.environments) or 'none'}; model as {', '.join(made.forms)}")
    click.echo(f"there: python{python} {made.folder.name}/unbundle.py")
    return 0


@click.command("unbundle")
@click.argument("folder", type=PATH)
@click.option(
    "--borrow",
    type=PATH,
    metavar="PYTHON",
    help="An interpreter with the packages that the bundle leaves out.",
)
def unbundle_command(*, folder: Path, borrow: Path | None) -> int:
    """Make the environments and models of the bundle in FOLDER, without a network."""
    from inferometer.bundling.unbundle import unbundle

    done = unbundle(folder, borrowed_from=borrow, progress=notice)
    for path in done.environments:
        click.echo(f"environment {path.name}")
    click.echo(f"model {done.model}: {units.counted(done.models, 'cached step')}")
    for word in done.words:
        click.echo(f"file {word}")
    for cause in done.failed:
        notice(cause)
    return 1 if done.failed else 0
