"""Real training of candidates on small image sets, in a sandbox."""
