"""Figures, printed: `python -m tests.benchmarks.NAME`. Nothing here is asserted."""
