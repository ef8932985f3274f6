"""A disk that fails on purpose, under the journal: what it does is recorded, and what of it survives can be chosen."""
