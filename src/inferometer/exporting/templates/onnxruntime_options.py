"""How ONNX Runtime is set, on any device: a part of its templates."""

from __future__ import annotations

from typing import Any

from inferometer.exporting.templates.shared import THREADS


def session_options(onnxruntime: Any) -> Any:
    """Return the options of a session as it was measured."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    return options
