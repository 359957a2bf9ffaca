"""One module a runtime; the only place that imports a framework."""
