"""What will run, and why not."""
