"""What `infer.py` is written from: one file a backend, and `shared`, which every one of them ends with.

A template's constants are replaced by the row's own, `shared` is put in its place, and imports of this package go. So
these files import nothing else of inferometer, and their framework inside `Model.__init__`.
"""
