"""The user's own data with their answers: what `--dataset` names (`found`), and shards of rows made of it once a run (`shards`)."""
