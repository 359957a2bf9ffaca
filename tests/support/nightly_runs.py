"""Made-up runs of one machine on several days, for tests of what follows runs in time."""

import simulated_runs as simulated
from inferometer.records import Actual
from inferometer.storage.run_directory import RunWriter


def write(
    folder, day, factor=1.0, wobble=0.001, version="1.0", frameworks=("onnxrt", "torch", "jax"), **more
):
    """Write a run of three rounds at 1,000 images/s times ``factor``; the rounds and the days differ by ``wobble``."""
    records = []
    for place, name in enumerate(frameworks):
        cell = simulated.cell(name)
        for number in range(3):
            rate = 1000 * factor * (1 + wobble * ((day * 7 + number * 3 + place) % 5 - 2))
            actual = Actual(cell.device, "GPU-1", cell.precision, 4, version)
            records.append(simulated.record(cell, number, rate, noise=1e-4, seed=number, actual=actual))
    made = simulated.run(records, path=folder / f"day-{day}", **more)
    info = made.info
    info = type(info)(
        **{f: getattr(info, f) for f in info.__struct_fields__}
        | {"created_at": f"2026-11-{day:02}T03:00:00Z"}
    )
    writer = RunWriter.create(made.path, info)
    for record in records:
        writer.append(record)
    return made.path
