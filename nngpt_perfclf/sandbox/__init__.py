"""The sandbox for candidate code: a process that cannot read the user's files, write files or open connections."""
