"""SavedModels with what an optimiser kept of training: the classes that could load it back are Keras 2's, which is not there.

Its slots (momenta, say) are no part of any signature, so that a copy of the folder that does not name them serves the same.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_GRAPH = "saved_model.pb"
_CHECKSUMS = "fingerprint.pb"  # of the graph as it was


def without_slots(folder: Path, scratch: Path) -> Path:
    """Return ``folder``, or where it has slots ``scratch``, which gets its graph without them and links to the rest of it."""
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString((folder / _GRAPH).read_bytes())
    nodes = [node for graph in model.meta_graphs for node in graph.object_graph_def.nodes]
    if not any(node.slot_variables for node in nodes):
        return folder
    for node in nodes:
        del node.slot_variables[:]
    for found in folder.iterdir():
        if found.name not in (_GRAPH, _CHECKSUMS):
            _same(found.resolve(), scratch / found.name)
    (scratch / _GRAPH).write_bytes(model.SerializeToString())
    return scratch


def _same(found: Path, target: Path) -> None:
    try:
        target.symlink_to(found)
    except OSError:  # a file system without links
        (shutil.copytree if found.is_dir() else shutil.copyfile)(found, target)
