"""Records pooled, estimated and ranked."""
