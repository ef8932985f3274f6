"""The evidence that nothing is lost: every way to fail is tried, counted, and judged from outside the database."""
