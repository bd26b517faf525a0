"""The sandbox for candidate code."""
