"""From a plan to records."""
