"""What flags there are, and how each kind is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferometer.flags.flag import CELL, ENERGY, INTERVAL, Flag, Value


@dataclass(frozen=True)
class Kind:
    """How flags of a kind are told; of each tuple those parts whose values are all known."""

    words: tuple[str, ...]  # joined as they are
    details: tuple[str, ...] = ()  # a sentence each, of the values that tables leave out
    scope: str = CELL


def _kind(*words: str, details: Sequence[str] = (), scope: str = CELL) -> Kind:
    return Kind(words, tuple(details), scope)


_ACCOUNTS = "by the kernel's count of each processor's time (/proc/stat)"
_OF_PROCESSORS = "{share:percent} % of the {processors} processors' time"

# in braces a value and how it is shown: a format of Python's or one of `_SHOWN`
KINDS: Mapping[str, Kind] = {
    # how the cell was measured
    "partial-batch": _kind(
        "the last batch of each loop is smaller: {last} of {full} images",
        details=("it counts in images/s; latencies are of full batches",),
    ),
    "last-batch-left-out": _kind(
        "{left} of {asked} images left out of each loop: the model takes batches of {fixed} only"
    ),
    "warmup-cut": _kind(
        "short warm-up: the time budget of {budget_s:g} s ended it after {done} of {asked} batches; the first loops may be slow",
        details=("--budget ends a slow warm-up at a third of it, and the loops at the whole",),
    ),
    "few-loops": _kind(
        "fewer loops: {done} of {asked} fitted the {limit} of {limit_s:g} s",
        details=("fewer loops know the speed less well; --budget sets when the loops of a slow cell end",),
    ),
    "phases-not-sampled": _kind(
        "no phases of a batch: sampling them failed ({error}); other figures are not affected"
    ),
    "pipelined-input": _kind(
        "host-pipelined: several batches are under way at once, sent as uint8 and converted on the device; "
        "latency counts from handing a batch in to getting its results"
    ),
    "converted": _kind("the model came by way of {via}: one made for this framework may be faster"),
    "quantised": _kind(
        "quantised after training",
        ", computed with {unit}",
        ": the top class is fp32's for {agree_k} of {agree_n} inputs",
        ", outputs differ by {error:percent} % of what inputs change",
    ),
    "as-stored": _kind("the model's file is measured as it is: {holds}"),
    "widened": _kind("the model's file holds {held}: its weights were widened to fp32 first"),
    "stored-precision": _kind(  # of version 0.1, whose rows were called fp32
        "the model's file holds {held}: it is measured as it is, whatever precision is asked"
    ),
    "partly-float": _kind("{left} of {total} operators that multiply matrices run in float"),
    "float-weights": _kind("{left} of {total} operators that multiply matrices have no int8 weights"),
    "tolerance": _kind("outputs were allowed to differ by {limit:g} from the reference (--tolerance)"),
    "not-checked-after": _kind("outputs were not checked after the loops: {error}"),
    "malformed-loops": _kind("{count:of malformed loop} left out"),
    "rounds-failed": _kind("{bad} of {ended} rounds left out, {status}: {cause}"),
    # who else was there
    "beside": _kind(
        "{device} was measuring too: sharing the host may have slowed both",
        details=(
            "{framework} ran there for {seconds:duration}",
            "{ran}",
            "during {loops_share:percent} % of the loops",
            "--at-once measures devices together; without it they take turns",
        ),
    ),
    "others-computed": _kind(f"other programs took {_OF_PROCESSORS} meanwhile", details=(_ACCOUNTS,)),
    "crowded": _kind(
        f"disturbed: other programs took {_OF_PROCESSORS} meanwhile; measure again on a quiet machine",
        details=(_ACCOUNTS,),
    ),
    "hypervisor": _kind(
        f"the machine's host gave {_OF_PROCESSORS} to other virtual machines meanwhile",
        details=(_ACCOUNTS,),
    ),
    "quota": _kind(
        f"a CPU limit (of the container or service) held this back for {_OF_PROCESSORS}",
        details=("by the cgroup's own count of throttled time",),
    ),
    "gpu-neighbour": _kind(
        "another program was on this GPU",
        " (holding {held_bytes:gib} GiB)",
        " and may have slowed it",
        details=("process {pid}, by the driver's list",),
    ),
    "gpu-neighbour-computed": _kind(
        "another program computed on this GPU meanwhile and may have slowed it",
        details=("process {pid}, by the driver's list",),
    ),
    "gpu-newcomers": _kind(
        "{count} processes came to this GPU where one was expected: another program may have slowed it"
    ),
    "gpu-busy-before": _kind(
        "this GPU was {share:percent} % busy before the run began: another program may have slowed it"
    ),
    "gpu-memory-before": _kind(
        "{used_bytes:gib} GiB of this GPU were in use before the run began: another program may have slowed it"
    ),
    "gpu-memory-changed": _kind(
        "other programs' memory on this GPU went from {before_bytes:gib} to {after_bytes:gib} GiB since the run began"
    ),
    # what the device did
    "placement-not-shown": _kind(
        "not confirmed that the work ran on this GPU: other programs freed memory at the same time",
        details=("memory in use went from {before_bytes:gib} to {after_bytes:gib} GiB",),
    ),
    "placement-not-checked": _kind(
        "not confirmed that the work ran on this GPU: its driver did not answer ({error})"
    ),
    "setting-changed": _kind("{setting} changed from {before} to {after} while the cell was measured"),
    "throttled": _kind(
        "throttled: the device held its clocks down ({reason})",
        " for {seconds:.2g} s",
        details=("told by {device} meanwhile",),
    ),
    "clock-unsteady": _kind("{clock} clock between {low_hz:mhz} and {high_hz:mhz} MHz meanwhile"),
    "warmed": _kind("the device was between {low_c:.0f} and {high_c:.0f} °C meanwhile"),
    # what the framework did
    "nodes-elsewhere": _kind(
        "{strays} of {total} operations ran on the CPU instead",
        " ({kinds})",
        details=("{counts}",),
    ),
    "other-threads": _kind("computed on {threads:of thread}, not the {asked} that were asked for"),
    "weights-elsewhere": _kind("{count:of weight} on {device}", " instead of {wanted}"),
    "other-precision": _kind(
        "{count} of {total} convolutions and matrix products gave {precision}, not {most} as the others"
    ),
    "not-page-locked": _kind(
        "batches went to the device from ordinary memory, not page-locked, which may be slower: {error}"
    ),
    "left-to-onnxruntime": _kind(
        "{count} of {total} operations ran in ONNX Runtime's own providers, not in {provider}"
    ),
    "not-in-xnnpack": _kind(
        "{count} of {total} operations ran in ExecuTorch's own kernels, not in XNNPACK ({kinds}), which may be slow"
    ),
    "left-to-tensorflow": _kind("{count:of operation} ran in TensorFlow, not in TensorRT"),
    # joules
    "phase-shifted": _kind(
        "short pauses between loops keep the power meter from always seeing the same part of the work; no loop's time includes them",
        details=(
            "{trials} groups of loops, each begun at another moment of the meter's updates (every {period_s:ms} ms)",
        ),
        scope=ENERGY,
    ),
    "aliasing": _kind(
        "energy may be off: the {pieces} keep time with the power meter, so that it may see one part of them too often; "
        "try another batch size or more loops",
        details=("{pieces} of {piece_s:ms} ms; updates every {period_s:ms} ms of the meter of {device}",),
        scope=ENERGY,
    ),
    "not-metered": _kind(
        "{device} is not metered: the energy is without it", details=("{reason}",), scope=ENERGY
    ),
    "wide-energy": _kind(
        "energy is known to {width} only, so it is compared with nothing", details=("{reason}",), scope=ENERGY
    ),
    "one-meter": _kind("energy is of the rounds metered by {meter} alone; left out: {others}", scope=ENERGY),
    "meter": _kind("energy by {meter}: compared with cells of the same meter only", scope=ENERGY),
    "memory-source": _kind("peak memory of the {source}: compared with cells of the same source only"),
    # what the rounds show of themselves
    "loops-held-up": _kind(
        "{held:of loop} took far longer than the others ({lost_s:duration} in all): the program was stopped, or the machine "
        "busy with something else; measure again",
        details=("of {loops:of loop}",),
    ),
    "two-kinds-of-rounds": _kind(
        "{slow} of {rounds} rounds were {slower:percent} % slower than the others, as if there were two kinds of process: few "
        "rounds cannot tell how often each comes; try --rounds {wanted}",
    ),
    # intervals and percentiles
    "alike-batches": _kind(
        "rough p{level}: {batches:of batch} timed, but batches in a row are so alike that they count as {worth}, where {needed:,} "
        "are needed; more loops or rounds firm it up",
        details=("by the correlation of each batch with the one before it",),
        scope=INTERVAL,
    ),
    "few-batches": _kind(
        "rough p{level}: {batches:of batch} timed where {needed:,} are needed; more loops or rounds firm it up",
        details=("of so few, fewer than ten lie beyond the percentile",),
        scope=INTERVAL,
    ),
    "one-process": _kind(
        "± is from a single process: another one may differ by more; add rounds to know",
        details=(
            "loops of one process are alike; fresh processes, one a round, show how far apart they can be",
        ),
        scope=INTERVAL,
    ),
    "few-images": _kind(
        "{images:of image} tell a share to ±{half_percent:.2g} % at worst; ±5 % takes {needed}",
        details=("half the width of Wilson's 95 % interval where half of the images are right",),
        scope=INTERVAL,
    ),
    # a sentence of version 0.1 that is none of the above
    "text": _kind("{text}"),
}

# something else had its share of the processors or the GPU
DISTURBED = frozenset(
    (
        "beside", "others-computed", "crowded", "hypervisor", "quota", "gpu-neighbour", "gpu-neighbour-computed",
        "gpu-newcomers", "gpu-busy-before", "gpu-memory-before", "gpu-memory-changed",
    )
)  # fmt: skip


def flag(kind: str, **values: Value) -> Flag:
    """Return a flag of a known kind."""
    return Flag(kind, KINDS[kind].scope, values)
