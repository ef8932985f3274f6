"""Several processes on one file: who moves it, who takes over, and what a client may do meanwhile."""
