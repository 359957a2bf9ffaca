"""What the parent sees around a cell: energy, GPU, neighbours."""
