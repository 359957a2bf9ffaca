"""Which frameworks there are, what each needs, and the environments built from it."""
