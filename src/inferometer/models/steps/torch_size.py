"""How large a torch module is: multiply-accumulates of one row, counted on tensors that have shapes and no values."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

from inferometer.models.steps import tensors

_TRIED = (1, 2)  # rows at once; some programs refuse one


def macs(torch: Any, flat: Any, specs: Sequence[tensors.Spec]) -> int | None:
    """Return the multiply-accumulates of one row, None where the module cannot be followed without computing.

    ``flat``: it takes the tensors of ``specs`` one by one.
    """
    fixed = tensors.batch_of(specs)
    for rows in (fixed,) if fixed else _TRIED:
        # whatever a model of the user's raises here: it is only not counted
        with contextlib.suppress(Exception):
            return math.ceil(_flops(torch, flat, specs, rows) / 2 / rows)
    return None


@contextlib.contextmanager
def _no_fast_path(torch: Any) -> Iterator[None]:
    """Let attention be computed operator by operator: its one fused kernel is not counted."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


def _flops(torch: Any, flat: Any, specs: Sequence[tensors.Spec], rows: int) -> int:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    # the kernels of oneDNN and the fused attention of CPUs are not among those that are counted
    plain = torch.backends.mkldnn.flags(enabled=False)
    fused = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with torch.no_grad(), plain, fused, _no_fast_path(torch), FakeTensorMode(allow_non_fake_inputs=True):
        given = [
            torch.ones((rows, *spec["shape"][1:]), dtype=getattr(torch, spec["dtype"])) for spec in specs
        ]
        with counter:
            flat(*given)
    return int(counter.get_total_flops())
