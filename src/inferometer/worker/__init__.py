"""The process inside a framework's venv: imports the standard library, numpy and that framework, nothing else."""
