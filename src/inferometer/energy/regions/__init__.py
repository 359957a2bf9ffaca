"""Named spans of a program's time, whose energy is wanted."""
