"""Two sets of runs, cell by cell."""
