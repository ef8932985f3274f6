"""The shell around the core: loads runs, works out transitions, commits them, then performs their commands."""
