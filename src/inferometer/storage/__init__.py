"""Run directories and the cache."""
