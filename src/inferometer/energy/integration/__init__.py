"""Energy of spans of time from readings (pure)."""
