"""Shared test set-up."""

from parts import missing

__all__ = ["missing"]

pytest_plugins = ["report_fixtures", "tiny_model"]
