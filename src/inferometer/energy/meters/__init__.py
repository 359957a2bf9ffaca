"""The sources of energy and power readings."""
