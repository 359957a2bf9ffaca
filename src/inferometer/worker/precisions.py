"""Precisions of quantised models, as they are asked for and read back."""

WEIGHTS = "int8-weights"  # the values are floats, or are rounded to integers as they come
QUANTISED = ("int8", WEIGHTS)
