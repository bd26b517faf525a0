"""A server that ranks, advises and gates for many workers, over HTTP."""
