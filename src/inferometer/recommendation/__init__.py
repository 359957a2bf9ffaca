"""One cell chosen under constraints."""
