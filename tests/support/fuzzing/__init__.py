"""Malformed inputs by seed for every reader, and what each makes of them (`benchmarks/fuzz.py` runs many, CI a few)."""
