"""Options of a run that takes seconds."""

SHORT = (
    "--batch-sizes", "2", "--images", "4", "--loops", "2", "--warmup", "1", "--rounds", "1", "--threads", "1",
)  # fmt: skip


def short_run(batch_sizes="2"):
    """Return options of a run with a worker's usual threads, that is over in a moment."""
    return [
        "--batch-sizes", batch_sizes, "--images", "4", "--loops", "2", "--rounds", "1", "--budget", "1", "--energy-window", "0.1",
    ]  # fmt: skip
