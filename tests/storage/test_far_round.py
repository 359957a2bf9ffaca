"""A run whose one record is of a round far beyond is no million rounds."""

import msgspec

import simulated_runs as simulated
from inferometer.records import ROUNDS_LIMIT


def test_an_imported_run_is_planned_as_what_it_has():
    far = simulated.record(simulated.cell(), ROUNDS_LIMIT - 1)
    made = simulated.run([far])
    imported = type(made)(made.path, msgspec.structs.replace(made.info, source="imported"), made.records)
    assert imported.planned == ((far.cell, ROUNDS_LIMIT - 1),)
    assert imported.missing == ()
