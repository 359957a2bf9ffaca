"""Everything that a machine without a network needs for a run, packed into parts of any size, and unpacked there."""
