"""Summaries of simulated records, for tests of what they hold."""

from inferometer.results.summary import summarise
from inferometer.tables.notes import notes
from simulated_runs import run


def only(records, **more):
    (summary,) = summarise([run(records, **more)]).summaries
    return summary


def told_of(results):
    return [note.words for note in notes(results)]
