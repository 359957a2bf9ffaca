"""What organisations report of a run: energy and carbon per functional unit, with the boundary and every factor's source."""
