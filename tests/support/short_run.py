"""Options of a run that takes seconds."""

SHORT = (
    "--batch-sizes", "2", "--images", "4", "--loops", "2", "--warmup", "1", "--rounds", "1", "--threads", "1",
)  # fmt: skip
