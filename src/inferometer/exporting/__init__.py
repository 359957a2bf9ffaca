"""A measured cell as a folder that runs without inferometer: artifact, infer.py, requirements, proof, README.

chosen      which cell: named, or the recommended one
located     its artifact, from the models' cache, or made again
settings    which template a row takes, and what its constants become
assembled   infer.py from template, parts and constants
kept_rows   rows to check and measure with, and the limits of the check
proof       what was measured, as JSON
readme      the three commands
written     the folder, whole or not at all
"""
