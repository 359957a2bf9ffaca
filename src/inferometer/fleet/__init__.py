"""One command over many machines: Ray places, carries and restarts; each node measures as one machine does."""
