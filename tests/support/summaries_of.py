"""Summaries of simulated records, for tests of what they hold."""

import numpy as np

from inferometer.results.estimates import full_batches
from inferometer.results.summary import summarise
from inferometer.tables.notes import notes
from simulated_runs import run


def only(records, **more):
    (summary,) = summarise([run(records, **more)]).summaries
    return summary


def told_of(results):
    return [note.words for note in notes(results)]


def batch_latencies_s(summary):
    """Return every full batch's latency, all rounds, in order."""
    return np.concatenate([full_batches(record) for record in summary.records if record.status == "ok"])
