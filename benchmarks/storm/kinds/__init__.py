"""The kinds of faults, a file a family; each function provokes one fault of its kind."""
