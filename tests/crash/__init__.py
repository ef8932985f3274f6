"""A process is killed at a named point, started again, and judged by a ledger outside the database."""
