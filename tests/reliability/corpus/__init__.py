"""Journals as earlier versions wrote them: one SQL dump for every schema, which each later version must open.

`python -m tests.reliability.corpus` writes the one of the present schema, named for its last migration. A dump of a
version that was published is never written again.
"""
