"""Pruning measured on recorded trials: what it costs in accuracy and what it saves in time."""
