"""Requests as LoadGen sends them: samples, the queue that makes batches of them, and the system under test."""
