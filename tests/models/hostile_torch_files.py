"""Writes PyTorch files that would leave MARKER behind if anything in them ran, and some that ask for too much.

python hostile_torch_files.py FOLDER MARKER
"""

import io
import json
import os
import pickle
import re
import sys
import zipfile
from pathlib import Path

import torch
from torch import nn

FOLDER, MARKER = Path(sys.argv[1]), sys.argv[2]
CALL = f"__import__('os').system('touch {MARKER}')"


class Touch:
    def __reduce__(self):
        return os.system, (f"touch {MARKER}",)


def pickled():
    buffer = io.BytesIO()
    torch.save(Touch(), buffer)
    return buffer.getvalue()


def rewritten(name, edit=lambda member, data: data, **extra):
    """Write the good program again as NAME.pt2, each member by ``edit``, and ``extra`` members beside."""
    with (
        zipfile.ZipFile(FOLDER / "good.pt2") as source,
        zipfile.ZipFile(FOLDER / f"{name}.pt2", "w") as target,
    ):
        for member in source.namelist():
            target.writestr(member, edit(member, source.read(member)))
        for member, data in extra.items():
            target.writestr(f"good/{member.replace('__', '/')}", data)


def in_program(change):
    """Return an edit of the program's JSON text."""

    def edit(member, data):
        if not member.endswith("models/model.json"):
            return data
        program = json.loads(data)
        return json.dumps(change(program) or program).encode()

    return edit


def in_text(pattern, new):
    return lambda member, data: (
        re.sub(pattern, new, data.decode()).encode() if member.endswith("models/model.json") else data
    )


def configured(kind, change, **members):
    """Return an edit of the list of weights or constants, and of members."""

    def edit(member, data):
        if member.endswith(f"{kind}_config.json"):
            config = json.loads(data)
            change(config["config"])
            return json.dumps(config).encode()
        return members.get(Path(member).name, data)

    return edit


def programs():
    batch = torch.export.Dim("batch")
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval()
    good = torch.export.export(network, (torch.randn(2, 4),), dynamic_shapes=({0: batch},))
    torch.export.save(good, FOLDER / "good.pt2")
    symbol = r"Symbol\('s\d+', positive=True, integer=True\)"
    rewritten("inputs", lambda member, data: pickled() if "sample_inputs" in member else data)
    unpickled = configured("weights", lambda c: c["0.weight"].update(use_pickle=True), weight_0=pickled())
    rewritten("weights", unpickled)
    opaque = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    rewritten(
        "constants",
        configured("constants", lambda c: c.update(k=opaque)),
        data__constants__opaque_obj_0=pickle.dumps(Touch()),
    )
    rewritten("sizes", in_text(symbol, CALL))
    rewritten("power", in_text(symbol, "Pow(Integer(10),Pow(Integer(10),Integer(10)))"))
    rewritten("guards", in_program(lambda p: p.update(guards_code=[f"{CALL} == 0"])))
    rewritten("names", in_text('"relu"', f'"relu = {CALL}; relu"'))
    rewritten("calls", in_text("torch.ops.aten.relu.default", "torch.hub.load"))
    rewritten("operator", in_text("torch.ops.aten.relu.default", "torch.ops.strange.relu.default"))
    rewritten("library", data__aotinductor__model__model__so=b"\x7fELF")
    huge = configured(
        "weights", lambda c: c["0.bias"]["tensor_meta"].update(sizes=[{"as_int": 1 << 45}]), weight_1=b""
    )
    rewritten("huge", huge)
    rewritten(
        "nested", lambda member, data: b"[" * 1_000_000 if member.endswith("models/model.json") else data
    )
    torn()


def torn():
    """Write a program whose text is compressed, and no longer as zlib compresses."""
    with (
        zipfile.ZipFile(FOLDER / "good.pt2") as source,
        zipfile.ZipFile(FOLDER / "torn.pt2", "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for member in source.namelist():
            target.writestr(member, source.read(member))
        text = next(item for item in target.infolist() if item.filename.endswith("models/model.json"))
    content = bytearray((FOLDER / "torn.pt2").read_bytes())
    content[text.header_offset + 30 + len(text.filename)] = 0b111  # a block of no kind
    (FOLDER / "torn.pt2").write_bytes(content)


class Saves(nn.Module):
    def forward(self, x):
        return torch.relu(x)

    @torch.jit.export
    def __getstate__(self) -> tuple[bool]:
        return (self.training,)

    @torch.jit.export
    def __setstate__(self, state: tuple[bool]) -> None:
        self.training = state[0]
        torch.save(torch.ones(2), "MARKER")


class Strange(nn.Module):
    def forward(self, x):
        return torch.ops.strange.relu(x)


def scripts():
    torch.jit.script(Saves().eval()).save(FOLDER / "plain.pt")
    with zipfile.ZipFile(FOLDER / "plain.pt") as source, zipfile.ZipFile(FOLDER / "saves.pt", "w") as target:
        for member in source.namelist():
            target.writestr(member, source.read(member).replace(b'"MARKER"', f'"{MARKER}"'.encode()))
    library = torch.library.Library("strange", "DEF")
    library.define("relu(Tensor x) -> Tensor")
    library.impl("relu", torch.relu, "CompositeImplicitAutograd")
    torch.jit.trace(Strange(), torch.randn(2, 3)).save(FOLDER / "operator.pt")


def others():
    folder = FOLDER / "own_code"
    folder.mkdir()
    config = {"model_type": "strange", "auto_map": {"AutoConfig": "code.C", "AutoModel": "code.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(CALL)
    torch.save({"state_dict": {"a": Touch(), "b": torch.ones(2)}}, FOLDER / "weights.pth")


programs()
scripts()
others()
