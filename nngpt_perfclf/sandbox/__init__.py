"""Where candidate code runs: a process that can read no file of the user's, change nothing and talk to nobody."""
