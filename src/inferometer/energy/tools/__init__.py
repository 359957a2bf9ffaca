"""What the command line does with meters."""
