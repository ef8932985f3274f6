"""Our side of each measure, and what it is held against on the same machine. Each runs in a process of its own."""
