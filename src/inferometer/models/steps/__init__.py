"""Work that runs inside an environment: standard library, numpy and that environment's framework only.

Each module has ``run(request: dict) -> dict``, JSON in and JSON out, and raises exceptions whose text is one clear line.
"""
